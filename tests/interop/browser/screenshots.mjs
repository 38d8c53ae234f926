// Takes pictures of every page of the console, light and dark, on a desktop and a phone, in both languages.
// Argument: a JSON object with `url` (of the console), `out` (a folder), `chromium`, `profile`, `pins`, `user`,
// `password`, `device` ([ProductKey, DeviceName]: one that cannot connect) and `online` (one that is connected); `only`
// takes the names that hold it.
// Prints a line for each picture, and "problem ..." for whatever a page complained about.
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

const settings = JSON.parse(process.argv[2]);
const addressOf = ([productKey, deviceName]) =>
  `products/${encodeURIComponent(productKey)}/devices/${encodeURIComponent(deviceName)}`;
const [productKey, deviceName] = settings.online;
const broken = addressOf(settings.device);
const device = addressOf(settings.online);
const pages = {
  overview: ['', drawn],
  products: 'products',
  'new-product': ['products', openDialog],
  product: `products/${productKey}`,
  devices: 'devices',
  'new-device': ['devices', openDialog],
  'devices-none': ['devices?q=no-such-device', empty],
  import: 'devices/import',
  'import-checked': ['devices/import', chooseFile],
  'device-refused': broken,
  'device-refused-log': `${broken}?tab=log`,
  'device-connect': device,
  'device-log': `${device}?tab=log`,
  'device-messages': `${device}?tab=messages`,
  'device-flight': `${device}?tab=flight`,
  'device-manage': `${device}?tab=manage`,
  try: [`try?product=${productKey}&device=${encodeURIComponent(deviceName)}`, tryIt],
  'access-accounts': 'access',
  'access-tickets': 'access?tab=tickets',
  'access-people': 'access?tab=people',
  'access-tokens': 'access?tab=tokens',
  certificates: 'certificates',
  settings: 'settings',
  audit: 'audit',
};
const screens = { desktop: { width: 1280, height: 860 }, phone: { width: 390, height: 844 } };

async function openDialog(page) {
  await page.locator('.page-actions .button.primary').click();
  await page.locator('dialog[open]').waitFor();
}

async function drawn(page) {
  await page.locator('.plot canvas').nth(3).waitFor();
}

async function empty(page) {
  await page.locator('.empty').waitFor();
}

async function chooseFile(page) {
  const rows = ['front', 'back', 'no such name'].map((name) => `a1door,${name},${'0123456789abcdef'.repeat(2)}`);
  const buffer = Buffer.from(['ProductKey,DeviceName,DeviceSecret', ...rows, ''].join('\r\n'));
  await page.locator('input[type=file]').setInputFiles({ name: 'doors.csv', mimeType: 'text/csv', buffer });
  await page.locator('main .button.primary').waitFor();
  await page.locator('main summary').click();
}

async function tryIt(page) {
  await page.locator('.button.primary[type=submit]').click();
  await page.locator('.columns form').first().waitFor();
  await page.locator('.columns input.input').last().fill(`/${productKey}/${deviceName}/user/state`);
  await page.locator('.columns .button.primary').last().click();
  await page.locator('.log li').first().waitFor();
}

function launch(screen, theme, language) {
  return chromium.launchPersistentContext(`${settings.profile}-${screen}-${theme}-${language}`, {
    executablePath: settings.chromium,
    headless: true,
    viewport: screens[screen],
    deviceScaleFactor: 1,
    colorScheme: theme,
    locale: language === 'zh' ? 'zh-CN' : 'en-GB',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--no-proxy-server',
      `--ignore-certificate-errors-spki-list=${(settings.pins ?? []).join(',')}`],
  });
}

function watch(page) {
  page.on('pageerror', (error) => console.log(`problem ${error.message}`));
  page.on('console', (message) => {
    const notSignedIn = message.location().url.endsWith('/session'); // asked before anybody has signed in
    if (message.type() === 'error' && !notSignedIn) console.log(`problem ${message.text()} ${message.location().url}`);
  });
}

async function settle(page) {
  const isSettled = () => document.querySelector('h1') && !document.querySelector('.skeleton, [aria-busy=true]');
  await page.waitForFunction(isSettled, null, { timeout: 10_000 })
    .catch(() => console.log(`problem still loading: ${page.url()}`));
  await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
}

async function signIn(page, name) {
  await page.goto(settings.url);
  await settle(page);
  await picture(page, `sign-in-${name}`);
  await page.locator('input[name=username]').fill(settings.user);
  await page.locator('input[name=password]').fill(settings.password);
  await page.locator('button[type=submit]').click();
  await page.locator('.shell').waitFor();
}

// Nothing may reach over the edge of the screen.
async function checkWidth(page, name) {
  const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  if (wide > seen) console.log(`problem ${name} is ${wide} px wide on a screen of ${seen}`);
}

async function picture(page, name) {
  await checkWidth(page, name);
  const screen = page.viewportSize();
  const dialog = await page.locator('dialog[open]').count();
  // As tall as the page, so that what sticks to the edges of the screen does so in the picture.
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  if (!dialog) await page.setViewportSize({ width: screen.width, height: Math.max(height, screen.height) });
  await page.screenshot({ path: `${settings.out}/${name}.png` });
  await page.setViewportSize(screen);
  console.log(`picture ${name}`);
}

async function run(screen, theme, language) {
  const context = await launch(screen, theme, language);
  const page = await context.newPage();
  watch(page);
  const kind = `${screen}-${theme}-${language}`;
  await signIn(page, kind);
  for (const [name, entry] of Object.entries(pages)) {
    if (settings.only && !name.includes(settings.only)) continue;
    const [address, act] = [entry].flat();
    await page.goto(`${settings.url}#/${address}`);
    await settle(page);
    if (act) {
      await act(page);
      await settle(page);
    }
    await picture(page, `${name}-${kind}`);
    if (act) await page.keyboard.press('Escape');
  }
  if (screen === 'phone' && (!settings.only || 'menu'.includes(settings.only))) {
    await page.locator('.topbar .icon-button').click();
    await page.locator('dialog[open]').waitFor();
    await picture(page, `menu-${kind}`);
  }
  await context.close();
}

mkdirSync(settings.out, { recursive: true });
for (const kind of settings.kinds) await run(...kind.split('-'));
