import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from './generated/openapi-typescript.js';
import { base, check, password, person } from './story.js';

const name = 'openapi-fetch';
const client = createClient<paths>({ baseUrl: base });
const made = await client.POST('/api/auth/register', { body: person(name) });
const signed = await client.POST('/api/auth/login', { body: { username: name, password } });
assert.ok(made.data && signed.data);
const token = signed.data.access_token;
client.use({ onRequest: ({ request }) => request.headers.set('Authorization', `Bearer ${token}`) });
const created = await client.POST('/api/tasks', { body: { title: 'Water the plants', due_at: '2099-01-01T00:00:00Z' } });
assert.ok(created.data);
const listed = await client.GET('/api/tasks', { params: { query: { status: ['pending', 'in_progress'], q: 'plants' } } });
assert.ok(listed.data);
const bad = { title: '', priority: 'extreme' } as unknown as components['schemas']['NewTask'];
const refused = await client.POST('/api/tasks', { body: bad });
assert.equal(refused.response.status, 422);
check(name, {
  registered: made.data.username,
  token,
  created: created.data.id,
  listed: listed.data.items,
  refused: refused.error?.errors ?? [],
});
