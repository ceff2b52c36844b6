import { defineConfig } from 'orval';

// The server is running already, so the client can know its address.
export default defineConfig({
  taskflow: {
    input: 'openapi.json',
    output: { target: 'generated/orval/api.ts', client: 'fetch', baseUrl: process.env.BASE },
  },
});
