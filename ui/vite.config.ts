import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

// `--mode mock` builds the page that plays scenarios instead, for `scripts/ui-pictures`: nothing of it is in the other.
export default defineConfig(({ mode }) => ({
  plugins: [svelte(), svelteTesting()],
  build: {
    // WebKitGTK of Debian 12 and its kin: light-dark(), container queries, <dialog>.
    target: ['es2022', 'safari17'],
    modulePreload: { polyfill: false },
    // A data: address would need an exception in the content security policy.
    assetsInlineLimit: 0,
    rollupOptions: { input: mode === 'mock' ? 'mock.html' : 'index.html' },
  },
  server: { port: 5173, strictPort: true },
  test: {
    environment: 'jsdom',
    include: ['test/**/*.test.ts'],
    // axe takes its time over twenty accounts on a busy machine.
    testTimeout: 60_000,
    setupFiles: ['test/setup.ts'],
    // Clock times are written in the machine's zone.
    env: { TZ: 'UTC' },
  },
}));
