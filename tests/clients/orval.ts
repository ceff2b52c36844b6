import assert from 'node:assert/strict';
import { createTask, listTasks, login, register, type NewTask } from './generated/orval/api.js';
import { check, password, person } from './story.js';

const name = 'orval';
const made = await register(person(name));
const signed = await login({ username: name, password });
assert.ok(made.status === 201 && signed.status === 200);
const token = signed.data.access_token;
const options = { headers: { Authorization: `Bearer ${token}` } };
const created = await createTask({ title: 'Water the plants', due_at: '2099-01-01T00:00:00Z' }, options);
assert.ok(created.status === 201);
const listed = await listTasks({ status: ['pending', 'in_progress'], q: 'plants' }, options);
assert.ok(listed.status === 200);
const refused = await createTask({ title: '', priority: 'extreme' } as unknown as NewTask, options);
assert.ok(refused.status === 422);
check(name, {
  registered: made.data.username,
  token,
  created: created.data.id,
  listed: listed.data.items,
  refused: refused.data.errors ?? [],
});
