import assert from 'node:assert/strict';
import { client } from './generated/hey-api/client.gen.js';
import { createTask, listTasks, login, register } from './generated/hey-api/sdk.gen.js';
import type { NewTask } from './generated/hey-api/types.gen.js';
import { base, check, password, person } from './story.js';

const name = 'hey-api';
client.setConfig({ baseUrl: base });
const made = await register({ body: person(name) });
const signed = await login({ body: { username: name, password } });
assert.ok(made.data && signed.data);
const token = signed.data.access_token;
client.setConfig({ baseUrl: base, auth: token });
const created = await createTask({ body: { title: 'Water the plants', due_at: '2099-01-01T00:00:00Z' } });
assert.ok(created.data);
const listed = await listTasks({ query: { status: ['pending', 'in_progress'], q: 'plants' } });
assert.ok(listed.data);
const refused = await createTask({ body: { title: '', priority: 'extreme' } as unknown as NewTask });
assert.equal(refused.response?.status, 422);
check(name, {
  registered: made.data.username,
  token,
  created: created.data.id,
  listed: listed.data.items,
  refused: refused.error?.errors ?? [],
});
