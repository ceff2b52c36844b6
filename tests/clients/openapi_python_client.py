"""Drives the real server with the client that openapi-python-client makes, and imports every part of it."""

import datetime
import importlib
import os
import pkgutil

import taskflow_client
from taskflow_client import AuthenticatedClient, Client
from taskflow_client.api.accounts import login, register
from taskflow_client.api.tasks import create_task, list_tasks
from taskflow_client.models import (
    ListTasksStatusItem,
    Login,
    NewTask,
    Problem,
    ProblemFieldCode,
    Registration,
    Task,
    TaskPage,
    Token,
    User,
)

NAME, PASSWORD = "openapi-python-client", "correct horse battery staple"
base = os.environ["BASE"]

parts = [part.name for part in pkgutil.walk_packages(taskflow_client.__path__, "taskflow_client.")]
for part in parts:
    importlib.import_module(part)
assert {"login", "refresh", "change_standing", "respond", "take_reply"} <= {part.rsplit(".", 1)[-1] for part in parts}

client = Client(base_url=base)
person = Registration(username=NAME, email=f"{NAME}@example.org", password=PASSWORD, time_zone="Europe/Berlin")
made = register.sync(client=client, body=person)
assert isinstance(made, User) and made.username == NAME, made
signed = login.sync(client=client, body=Login(username=NAME, password=PASSWORD))
assert isinstance(signed, Token), signed

client = AuthenticatedClient(base_url=base, token=signed.access_token)
due = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
created = create_task.sync(client=client, body=NewTask(title="Water the plants", due_at=due))
assert isinstance(created, Task) and created.due_at == due, created
status = [ListTasksStatusItem.PENDING, ListTasksStatusItem.IN_PROGRESS]
listed = list_tasks.sync(client=client, status=status, q="plants")
assert isinstance(listed, TaskPage) and [task.id for task in listed.items] == [created.id], listed
refused = create_task.sync(client=client, body=NewTask(title=""))
assert isinstance(refused, Problem) and refused.status == 422, refused
assert [(one.field, one.code) for one in refused.errors] == [("title", ProblemFieldCode.TOO_SHORT)], refused
print(f"{NAME}: registers, signs in, creates and lists tasks, and reads what is refused")
