// The console in Debian's headless Chromium, as people use it. Arguments: the name of a scenario and a JSON object with
// `url` (of the console), `chromium`, `profile`, `pins`, `user`, `password`, and what the scenario needs besides.
//
// Ends with status 0 and the line "done", or with what was wrong. A page that broke the policy, threw, or loaded
// anything from elsewhere is wrong whatever else happened.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import mqtt from 'mqtt';
import { chromium } from 'playwright-core';
import { assertAccessible, assertFits, assertReachable } from './accessibility.mjs';

const [, , scenario, argument] = process.argv;
const settings = JSON.parse(argument);
const patience = settings.patience ?? 15_000;
const faults = [];
const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 860 };

async function launch(options = {}) {
  const context = await chromium.launchPersistentContext(settings.profile, {
    executablePath: settings.chromium,
    headless: true,
    locale: 'en-GB',
    viewport: desktop,
    acceptDownloads: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--no-proxy-server',
      `--ignore-certificate-errors-spki-list=${settings.pins.join(',')}`],
    ...options,
  });
  context.setDefaultTimeout(patience);
  const home = new URL(settings.url).host;
  context.on('request', (request) => {
    const address = new URL(request.url());
    if (address.protocol.startsWith('http') && address.host !== home) faults.push(`request to ${request.url()}`);
  });
  return context;
}

// The browser notes every answer of the API that is no success, also those that the page asked for and shows.
function isRefusal(message) {
  return /status of 4\d\d/.test(message.text()) && new URL(message.location().url).pathname.startsWith('/api/');
}

async function open(context, address = '') {
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(`page: ${error.message}`));
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() !== 'error' || isRefusal(message)) return;
    faults.push(`console: ${message.text()} ${message.location().url}`);
  });
  await page.goto(`${settings.url}#/${address}`);
  return page;
}

async function fillSignIn(page, user, password) {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function signIn(context, address = '', { user, password } = settings) {
  const page = await open(context, address);
  await fillSignIn(page, user, password);
  await page.locator('.shell').waitFor();
  return page;
}

async function go(page, address) {
  await page.evaluate((hash) => { location.hash = hash; }, `#/${address}`);
}

const heading = (page, name) => page.getByRole('heading', { level: 1, name });
const shown = (page, name) => page.locator(`[data-name="${name}"]`).first();

async function revealed(page, name) {
  const field = page.locator('.copy-field', { has: page.locator(`[data-name="${name}"]`) });
  const show = field.getByRole('button', { name: 'Show' });
  if (await show.count()) await show.click();
  return field.locator('code').innerText();
}

async function status(page, wanted) {
  await page.locator(`h1 [data-status="${wanted}"]`).waitFor();
}

// Waits for the first of these events of a client.
function event(client, name) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`no ${name} of the client`)), patience);
    client.once(name, (...words) => {
      clearTimeout(timer);
      done(words);
    });
  });
}

async function createProduct(page, name, productKey) {
  await go(page, 'products');
  await page.locator('.page-actions').getByRole('button', { name: 'New product' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: true }).fill(name);
  await dialog.getByLabel('ProductKey (optional)').fill(productKey);
  await dialog.getByRole('button', { name: 'Create' }).click();
  await heading(page, name).waitFor();
}

async function createDevice(page, name) {
  await page.locator('.page-actions').getByRole('button', { name: 'New device' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('DeviceName').fill(name);
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('link', { name: 'Connect it' }).click();
  await heading(page, name).waitFor();
}

// Names and secrets of the new devices, as the file that is offered has them.
async function createMany(page, way, label, text) {
  await page.locator('.page-actions').getByRole('button', { name: 'New device' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: way, exact: true }).check();
  await dialog.getByLabel(label).fill(text);
  await dialog.getByRole('button', { name: 'Create' }).click();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    dialog.getByRole('button', { name: 'Download CSV' }).click(),
  ]);
  await dialog.locator('.dialog-foot').getByRole('button', { name: 'Close' }).click();
  return readFileSync(await file.path(), 'utf-8').trim().split('\r\n').slice(1);
}

// Does to a device what the button says, once more in the question that follows.
async function act(page, name, done) {
  await page.getByRole('tabpanel').getByRole('button', { name }).click();
  await page.getByRole('dialog').getByRole('button', { name }).click();
  await page.getByText(done, { exact: true }).waitFor();
}

async function printedCredentials(page) {
  return {
    url: await revealed(page, 'url'),
    clientId: await revealed(page, 'client-id'),
    username: await revealed(page, 'username'),
    password: await revealed(page, 'password'),
  };
}

function connect({ url, ...credentials }) {
  const ca = readFileSync(settings.rootCertificate);
  return mqtt.connect(url, { ...credentials, ca, reconnectPeriod: 0, connectTimeout: patience });
}

const schemes = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' };

function everyPage() {
  const device = `products/${settings.productKey}/devices/${settings.deviceName}`;
  const tabs = ['', '?tab=log', '?tab=messages', '?tab=flight', '?tab=manage'].map((tab) => device + tab);
  return ['', 'products', `products/${settings.productKey}`, 'devices', 'devices/import', ...tabs, 'try', 'access',
    'access?tab=tickets', 'access?tab=people', 'access?tab=tokens', 'certificates', 'settings', 'audit'];
}

function isSettled() {
  return Boolean(document.querySelector('h1')) && !document.querySelector('.skeleton, [aria-busy=true]');
}

const scenarios = {
  // The printed password opens the console once: nothing works until another one is chosen.
  async first_use(context) {
    const page = await open(context, 'devices');
    await fillSignIn(page, settings.user, 'not the password');
    await page.getByText('User and password do not fit.').waitFor();
    await fillSignIn(page, settings.user, settings.firstPassword);
    await heading(page, 'Choose your password').waitFor();
    await page.reload();
    await heading(page, 'Choose your password').waitFor();
    const submit = page.getByRole('button', { name: 'Change password' });
    await page.getByLabel('Present password').fill(settings.firstPassword);
    await page.getByLabel('New password', { exact: true }).fill('short');
    await page.getByLabel('New password, once more').fill('short');
    assert.equal(await submit.isDisabled(), true);
    await page.getByLabel('New password', { exact: true }).fill(settings.password);
    await page.getByLabel('New password, once more').fill(settings.password);
    await submit.click();
    await heading(page, 'Devices').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await heading(page, 'Sign in to Mooring').waitFor();
    await fillSignIn(page, settings.user, settings.firstPassword);
    await page.getByText('User and password do not fit.').waitFor();
    await fillSignIn(page, settings.user, settings.password);
    await heading(page, 'Devices').waitFor();
  },

  // From nothing to a message, and to the reason why it stops working; the page is never loaded again.
  async device_life(context) {
    const page = await signIn(context);
    await page.evaluate(() => { window.sameplace = true; });
    await createProduct(page, 'Street lamp', 'a1life');
    await page.getByLabel('Topic below /ProductKey/DeviceName/').fill('user/switch');
    await page.getByRole('button', { name: 'Add topic' }).click();
    await page.getByText('/a1life/${deviceName}/user/switch').waitFor();
    await createDevice(page, 'kitchen');
    await status(page, 'UNACTIVE');
    const credentials = await printedCredentials(page);
    assert.equal(new URL(credentials.url).protocol, new URL(settings.url).protocol.replace('http', 'ws'));

    const client = connect(credentials);
    await event(client, 'connect');
    await status(page, 'ONLINE');
    const topic = '/a1life/kitchen/user/switch';
    await client.subscribeAsync(topic, { qos: 1 });
    await page.getByRole('tab', { name: 'Messages' }).click();
    await page.getByRole('tabpanel').getByRole('button', { name: 'Publish to it' }).first().click();
    await page.getByLabel('Topic', { exact: true }).fill(topic);
    await page.getByLabel('Payload').fill('{"power":"on"} 电');
    const message = event(client, 'message');
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    const [gotTopic, payload] = await message;
    assert.deepEqual([gotTopic, payload.toString()], [topic, '{"power":"on"} 电']);

    await page.getByRole('tab', { name: 'Log' }).click();
    await page.locator('.log [data-action="online"]').first().waitFor();
    await page.getByRole('tab', { name: 'Flight record' }).click();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.locator('.packet-in b', { hasText: 'CONNECT' }).first().waitFor();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Capture file' }).click(),
    ]);
    assert.equal(readFileSync(await file.path()).readUInt32LE(0), 0x0a0d0d0a); // pcapng's first block

    const closed = event(client, 'close');
    await page.getByRole('tab', { name: 'Manage' }).click();
    await page.getByRole('button', { name: 'New secret' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'New secret' }).click();
    await page.getByText('The device has a new secret.').waitFor();
    if (client.connected) client.end(true);
    await closed;
    const late = connect(credentials);
    late.on('error', () => {});
    await event(late, 'close');
    late.end(true);
    await shown(page, 'verdict').waitFor();
    const verdict = await shown(page, 'verdict').innerText();
    assert.match(verdict, /signature/i);
    assert.match(await shown(page, 'advice').innerText(), /What to do:/);
    await page.getByRole('tab', { name: 'Log' }).click();
    await page.locator('.log [data-action="refused"]').first().waitFor();

    await page.locator('.sidebar').getByRole('radio', { name: '中文' }).check();
    await page.getByRole('heading', { name: '为什么连不上' }).waitFor();
    assert.match(await shown(page, 'verdict').innerText(), /\p{Script=Han}/u);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
    await page.locator('.sidebar').getByRole('radio', { name: 'English' }).check();
    await page.getByRole('heading', { name: 'Why it does not connect' }).waitFor();
    assert.equal(await page.evaluate(() => window.sameplace), true);
  },

  // What an operator does with devices of a product, many at once and one by one.
  async manage(context) {
    const page = await signIn(context);
    await createProduct(page, 'Doors', 'a1door');
    await page.getByLabel('Dynamic registration').selectOption('on');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The product was saved.').waitFor();
    await page.reload();
    await page.getByLabel('Dynamic registration').waitFor();
    assert.equal(await page.getByLabel('Dynamic registration').inputValue(), 'on');
    assert.match(await revealed(page, 'product-secret'), /^\w{16,}$/);
    const made = [await createMany(page, 'List of names', 'Names, one per line', 'front\nback'),
      await createMany(page, 'Number', 'How many devices', '3')];
    assert.deepEqual(made.map((rows) => rows.length), [2, 3]);
    const [productKey, deviceName, deviceSecret] = made[0][0].split(',');
    assert.deepEqual([productKey, deviceName, deviceSecret.length], ['a1door', 'front', 32]);

    await go(page, 'products/a1door/devices/front');
    await status(page, 'UNACTIVE');
    const client = connect(await printedCredentials(page));
    await event(client, 'connect');
    await status(page, 'ONLINE');
    await page.getByRole('tab', { name: 'Manage' }).click();
    const closed = event(client, 'close');
    await act(page, 'Disconnect', 'The device was disconnected.');
    await closed;
    await status(page, 'OFFLINE');
    await act(page, 'Disable', 'The device is disabled.');
    await status(page, 'DISABLE');
    await page.getByRole('button', { name: 'Enable' }).click();
    await status(page, 'OFFLINE');
    await act(page, 'Reset registration', 'The device may register once more.');
    await go(page, 'audit');
    for (const done of ['Changed a product', 'Disconnected a device', 'Disabled a device', 'Enabled a device',
      'Reset a registration']) await page.locator('tbody tr', { hasText: done }).first().waitFor();
  },

  // The root certificate, its fingerprint and its end; every option with where its value came from.
  async look_around(context) {
    const page = await signIn(context, 'certificates');
    const root = page.locator('.card').first();
    await root.getByText(/\d+ years left/).waitFor();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      root.getByRole('link', { name: 'Download root' }).click(),
    ]);
    const certificate = new X509Certificate(readFileSync(await file.path()));
    assert.equal(await root.locator('.fingerprint').innerText(), certificate.fingerprint256);
    await go(page, 'settings');
    const given = page.locator('tbody tr', { hasText: 'server.data' });
    await given.getByText('--data', { exact: true }).waitFor();
    const all = await page.locator('tbody tr').count();
    await page.getByLabel('Only values that are no defaults').check();
    await given.waitFor();
    assert.ok(await page.locator('tbody tr').count() < all);
    assert.equal(await page.locator('tbody .badge', { hasText: /^default$/ }).count(), 0);
  },

  // 10,000 rows, some of them wrong: tried without effect, then taken over with progress.
  async import_rows(context) {
    const page = await signIn(context, 'devices/import');
    const rows = Array.from({ length: 10_000 }, (_, row) => `a1fleet,lamp-${row},${'0123456789abcdef'.repeat(2)}`);
    rows[4_321] = 'a1fleet,wrong name,x';
    const path = `${settings.profile}-fleet.csv`;
    writeFileSync(path, ['ProductKey,DeviceName,DeviceSecret', ...rows, ''].join('\r\n'));
    await page.getByLabel(/Choose a CSV file/).setInputFiles(path);
    await page.getByRole('heading', { name: 'What would happen' }).waitFor();
    assert.equal(await shown(page, 'created').innerText(), '9,999');
    assert.equal(await shown(page, 'refused').innerText(), '1');
    await page.getByText('1 refused row').click();
    await page.getByRole('cell', { name: '4323', exact: true }).waitFor(); // the line of the file
    const seen = page.evaluate(() => new Promise((done) => {
      const values = [];
      new MutationObserver((_, observer) => {
        const value = document.querySelector('progress')?.value;
        if (value !== undefined) values.push(value);
        if (/Imported/.test(document.body.textContent)) {
          observer.disconnect();
          done(values);
        }
      }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    }));
    await page.getByRole('button', { name: 'Import 9,999 devices' }).click();
    await page.getByText('9,999 devices were taken over.').waitFor();
    const values = new Set(await seen);
    assert.ok(values.size >= 4, `progress moved ${values.size} times`);
    await page.getByRole('link', { name: 'Show devices' }).click();
    await heading(page, 'Devices').waitFor();
    const search = page.getByLabel('Search by name or nickname');
    await search.pressSequentially('AMP-998', { delay: 20 });
    await page.getByRole('link', { name: 'lamp-9987', exact: true }).waitFor();
    await search.fill('lamp-99');
    await page.getByRole('link', { name: 'lamp-99', exact: true }).waitFor();
    assert.ok(await page.locator('tbody tr').count() <= 50);
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('Page 2').waitFor();
    await page.getByRole('button', { name: 'Back' }).click();
    await page.getByText('Page 1').waitFor();
    await page.getByRole('button', { name: 'Export' }).click();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('dialog').getByRole('button', { name: /^Export/ }).click(),
    ]);
    const exported = readFileSync(await file.path(), 'utf-8');
    assert.equal(exported.split('\n').filter((line) => line.startsWith('a1fleet,lamp-')).length, 9_999);

    const notUtf8 = Buffer.from([0xb5, 0xe7]);
    writeFileSync(path, Buffer.concat([Buffer.from('ProductKey,DeviceName,DeviceSecret\r\na,b,'), notUtf8]));
    await go(page, 'devices/import');
    await page.getByLabel(/Choose a CSV file/).setInputFiles(path);
    await page.getByText('Line 2 is not UTF-8.').waitFor();
  },

  // Names that are script, SQL, written from right to left or very long are text wherever they are shown.
  async hostile_names(context) {
    const page = await signIn(context);
    for (const [productKey, deviceName, nickname, productName] of settings.hostile) {
      await go(page, `products/${productKey}`);
      await page.locator('h1', { hasText: productName }).waitFor();
      await go(page, `devices?product=${productKey}`);
      await page.locator('tbody bdi', { hasText: nickname.slice(0, 30) }).first().waitFor();
      await go(page, `products/${productKey}/devices/${encodeURIComponent(deviceName)}`);
      await page.locator('.lead bdi', { hasText: nickname.slice(0, 30) }).waitFor();
      await assertFits(page, nickname.slice(0, 20));
    }
    await go(page, 'audit');
    await page.locator('tbody tr').first().waitFor();
    assert.equal(await page.evaluate(() => document.querySelectorAll('img[src="x"], b.injected').length), 0);
    assert.equal(await page.evaluate(() => window.injected), undefined);
  },

  // Two people change the same product: the second one is told, and decides.
  async two_editors(context) {
    const first = await signIn(context);
    await createProduct(first, 'Shared', 'a1shared');
    const second = await open(context, 'products/a1shared');
    await heading(second, 'Shared').waitFor();
    const save = async (page, name) => {
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByRole('button', { name: 'Save' }).click();
    };
    await save(first, 'First was here');
    await first.getByText('The product was saved.').waitFor();
    await save(second, 'Second was here');
    await second.getByText('Somebody else changed this in the meantime').waitFor();
    await second.locator('ins', { hasText: 'First was here' }).waitFor();
    await second.getByRole('button', { name: 'Take over their change' }).click();
    assert.equal(await second.getByLabel('Name', { exact: true }).inputValue(), 'First was here');
    await save(first, 'First again');
    await heading(first, 'First again').waitFor();
    await save(second, 'Second again');
    await second.getByRole('button', { name: 'Save mine all the same' }).click();
    await heading(second, 'Second again').waitFor();
  },

  // The client in the page, as a device by a ticket, under the policy of the page.
  async try_it(context) {
    const page = await signIn(context);
    await createProduct(page, 'Trying', 'a1try');
    await page.getByLabel('Topic below /ProductKey/DeviceName/').fill('user/echo');
    await page.getByRole('button', { name: 'Add topic' }).click();
    await page.getByText('/a1try/${deviceName}/user/echo').waitFor();
    await createDevice(page, 'phone');
    await page.getByRole('link', { name: 'Try it' }).last().click();
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.locator('.page-actions').getByText('Connected').waitFor();
    await page.getByLabel('Topic filter').fill('/a1try/phone/user/echo');
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
    await page.getByRole('button', { name: /Unsubscribe from/ }).waitFor();
    await page.getByLabel('Topic', { exact: true }).fill('/a1try/phone/user/echo');
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await page.locator('.log .badge', { hasText: 'received' }).waitFor();
    await page.getByLabel('Topic filter').fill('/a1try/other/user/echo');
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
    await page.getByText('Not allowed or not possible').waitFor();
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await page.getByText('The connection is closed.').waitFor();
  },

  // A viewer is shown no secret and offered nothing that would be refused; a session that ends is told.
  async viewer(context) {
    const admin = await signIn(context, 'access?tab=people');
    await admin.getByRole('button', { name: 'New person' }).click();
    await admin.getByRole('dialog').getByLabel('Name').fill('eve');
    await admin.getByRole('dialog').getByLabel('Role').selectOption('viewer');
    await admin.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
    const given = await shown(admin, 'made-password').innerText();
    await admin.getByRole('button', { name: 'I have it' }).click();
    await admin.getByRole('button', { name: 'Sign out' }).click();

    await fillSignIn(admin, 'eve', given);
    await heading(admin, 'Choose your password').waitFor();
    await admin.getByLabel('Present password').fill(given);
    await admin.getByLabel('New password', { exact: true }).fill('eve has her own');
    await admin.getByLabel('New password, once more').fill('eve has her own');
    await admin.getByRole('button', { name: 'Change password' }).click();
    await admin.locator('.shell').waitFor();
    assert.equal(await admin.locator('.sidebar').getByRole('link', { name: 'Audit' }).count(), 0);
    await go(admin, `products/${settings.productKey}/devices/${settings.deviceName}`);
    await admin.getByText('they take the role operator').waitFor();
    await admin.getByRole('tab', { name: 'Manage' }).click();
    await admin.getByText('Changing devices takes the role operator.').waitFor();
    await go(admin, `products/${settings.productKey}`);
    await admin.getByText('ProductKey', { exact: true }).waitFor();
    assert.equal(await admin.getByText('ProductSecret').count(), 0);
    assert.equal(await admin.getByRole('button', { name: 'Save' }).count(), 0);
    await context.clearCookies();
    await go(admin, 'devices');
    await admin.getByText('You were signed out. Sign in again to go on.').waitFor();
  },

  // By keyboard alone, on a phone's width.
  async keyboard(context) {
    const page = await signIn(context, 'products');
    await heading(page, 'Products').waitFor();
    await page.locator('body').press('Tab');
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
    for (let turn = 0; turn < 8 && await focused() !== 'Skip to content'; turn += 1) await page.keyboard.press('Tab');
    assert.equal(await focused(), 'Skip to content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
    const add = page.locator('.page-actions').getByRole('button', { name: 'New product' });
    await add.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    assert.equal(await page.evaluate(() => Boolean(document.activeElement?.closest('dialog'))), true);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.equal(await focused(), 'New product');

    await page.setViewportSize(phone);
    const menu = page.getByRole('button', { name: 'Open the menu' });
    await menu.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('link', { name: 'Certificates' }).focus();
    await page.keyboard.press('Enter');
    await heading(page, 'Certificates').waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  },

  // Every page in both themes, on a phone and a desktop.
  async accessibility(context) {
    const page = await signIn(context);
    for (const address of everyPage()) {
      await go(page, address);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        for (const viewport of [phone, desktop]) {
          await page.setViewportSize(viewport);
          await page.waitForFunction(isSettled);
          const name = `#/${address} (${colorScheme}, ${viewport.width} px)`;
          await assertFits(page, name);
          await assertAccessible(page, name);
        }
      }
      await assertReachable(page, `#/${address}`);
    }
    await go(page, 'devices');
    await page.locator('.page-actions .button').first().waitFor();
    const motion = () => getComputedStyle(document.querySelector('.page-actions .button')).transitionDuration;
    assert.equal(await page.evaluate(motion), '0s', 'whoever wants no motion sees some');
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    assert.notEqual(await page.evaluate(motion), '0s');
  },

  // What the page of a device prints to be pasted, for each transport; the caller runs it.
  async snippets(context) {
    const page = await signIn(context, `products/${settings.productKey}/devices/${settings.deviceName}`);
    const found = {};
    for (const transport of ['tcp', 'tls', 'ws', 'wss']) {
      await page.getByRole('radio', { name: transport, exact: true }).check();
      await page.locator('[data-name=url]', { hasText: new RegExp(`^(${schemes[transport]}):`) }).waitFor();
      found[transport] = {};
      for (const tool of ['mosquitto', 'MQTT.js', 'Python', 'C', 'SDK']) {
        await page.getByRole('radio', { name: tool, exact: true }).check();
        for (const block of await page.locator('.code-block').all()) {
          const secret = block.getByRole('button', { name: 'Show' });
          const masked = await block.locator('code').innerText();
          if (await secret.count()) await secret.click();
          const text = await block.locator('code').textContent();
          assert.equal(masked.includes('••••'), text !== masked);
          found[transport][await block.locator('code').getAttribute('data-name')] = text;
        }
      }
    }
    writeFileSync(settings.out, JSON.stringify(found));
  },
};

const context = await launch();
try {
  await scenarios[scenario](context);
  assert.deepEqual(faults, []);
  console.log('done');
} catch (error) {
  const page = context.pages().at(-1);
  await page?.screenshot({ path: `${settings.profile}.png` }).catch(() => {});
  console.log(`at ${page?.url()}\n${await page?.locator('body').innerText().catch(() => '')}`);
  console.log(faults.join('\n'));
  throw error;
} finally {
  await context.close();
}
