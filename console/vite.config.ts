import { defineConfig } from 'vite';

// While developing, the API comes from a server that runs: MOORING_URL=http://localhost:8443 npm run dev
const server = process.env.MOORING_URL ?? 'http://localhost:8443';

// What nearly every page needs comes as one file; what few need stays with them.
function isCommon(id: string): boolean {
  if (id.includes('node_modules')) return /node_modules\/(@preact|preact|openapi-fetch|lucide-preact)\//.test(id);
  if (/src\/(ui\/plot(-canvas)?|lib\/(mqtt-client|csv|import|rates|attention))\.tsx?$/.test(id)) return false;
  return /src\/(api|lib|state|ui|i18n\/(index|en))/.test(id);
}

export default defineConfig({
  base: './', // works below any address
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2022',
    cssTarget: 'chrome123', // keeps light-dark()
    assetsInlineLimit: 0, // the policy of the pages allows no data: addresses
    modulePreload: { polyfill: false },
    manifest: '.manifest.json', // for the test of sizes; hidden files are not served
    rollupOptions: { output: { manualChunks: (id) => (isCommon(id) ? 'common' : undefined) } },
    chunkSizeWarningLimit: 500, // mqtt.js, which only "Try it" loads
  },
  server: {
    proxy: {
      '/api': { target: server, secure: false, xfwd: false },
      '/mqtt': { target: server, ws: true, secure: false },
      '/ca.crt': { target: server, secure: false },
    },
  },
});
