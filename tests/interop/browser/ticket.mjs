// A page that connects with a ticket, in Debian's headless Chromium, with MQTT.js and the very lines that
// `mooring ticket mint` prints. Argument: a JSON object with `profile`, `chromium` and `pins` as browser.mjs has them.
//
// First prints "origins HOME FOREIGN": the page is served from both. Then each line of stdin is a job: a JSON object with
// `name`, `page` ("home" or "foreign"), `lines` (the printed ones), `filters` and `publish` ([topic, payload]). Events go
// to stdout as "<job> <event> ...".
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const settings = JSON.parse(process.argv[2]);
const library = readFileSync(new URL('../node_modules/mqtt/dist/mqtt.min.js', import.meta.url));

async function site() {
  const server = createServer((request, response) => {
    if (request.url === '/mqtt.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(library);
    if (request.url !== '/') return response.writeHead(204).end();
    return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><script src="/mqtt.js"></script>');
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

const sites = { home: await site(), foreign: await site() };
const context = await chromium.launchPersistentContext(settings.profile, {
  executablePath: settings.chromium,
  headless: true,
  ignoreDefaultArgs: ['--enable-automation'],
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--no-proxy-server',
    `--ignore-certificate-errors-spki-list=${settings.pins.join(',')}`],
});
await context.exposeFunction('tell', (line) => process.stdout.write(`${line}\n`));

// Runs in the page. The lines make `client`.
function start(job) {
  const say = (...words) => window.tell([job.name, ...words].join(' '));
  const client = new Function('mqtt', `${job.lines}\nreturn client;`)(window.mqtt);
  client.on('connect', () => {
    say('connected');
    for (const filter of job.filters) {
      client.subscribe(filter, { qos: 1 }, (error, granted) => {
        const refused = error || granted.length === 0 || granted[0].qos > 2;
        say(refused ? 'denied' : 'subscribed', filter);
      });
    }
    if (job.publish) client.publish(job.publish[0], job.publish[1], { qos: 1 });
  });
  client.on('message', (topic, payload) => say('message', topic, payload.toString()));
  client.on('error', (error) => say('error', error.code));
  client.on('close', () => {
    say('closed');
    client.end(true);
  });
}

process.stdout.write(`origins ${sites.home.origin} ${sites.foreign.origin}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  const page = await context.newPage();
  page.on('pageerror', (error) => process.stderr.write(`page: ${error.message}\n`));
  await page.goto(`${sites[job.page].origin}/`);
  await page.evaluate(start, job);
}
await context.close().catch(() => {});  // everything was said; the browser may have gone by itself
for (const { server } of Object.values(sites)) server.close();
