// What every client does, and what must come of it.
import assert from 'node:assert/strict';

export const base = process.env.BASE ?? '';
export const password = 'correct horse battery staple';

export function person(name: string) {
  // A zone as a browser gives it is a string, and must be one of the document.
  return { username: name, email: `${name}@example.org`, password, time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone };
}

export interface Told {
  registered: string;
  token: string;
  created: string;
  listed: { title: string; status: string }[];
  refused: { field: string; code: string }[];
}

export function check(name: string, told: Told) {
  assert.equal(told.registered, name);
  assert.ok(told.token.length > 20);
  assert.match(told.created, /^[0-9a-f-]{36}$/);
  assert.deepEqual(told.listed.map(({ title, status }) => [title, status]), [['Water the plants', 'pending']]);
  const refused = told.refused.map(({ field, code }) => `${field} ${code}`).sort();
  assert.deepEqual(refused, ['priority unknown_value', 'title too_short']);
  console.log(`${name}: registers, signs in, creates and lists tasks, and reads what is refused`);
}
