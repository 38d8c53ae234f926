// What people who do not use a mouse, hear the page, or see little would stumble over.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf-8');
const stopsMax = 400;

// The rules of WCAG 2.2 AA that a program can check.
export async function assertAccessible(page, name) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { passes, violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    const wrong = violations.map(({ id, nodes: [one] }) => `${id}: ${one.html.slice(0, 160)} ${one.failureSummary}`);
    return { passes: passes.length, wrong };
  });
  assert.ok(found.passes > 10);
  assert.deepEqual(found.wrong, [], name);
}

// Nothing may reach over the edge of the screen.
export async function assertFits(page, name) {
  const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(wide <= seen, `${name} is ${wide} px wide on a screen of ${seen}`);
}

// Tab comes to everything that can be pressed, typed into or scrolled, and shows where it is.
export async function assertReachable(page, name) {
  await page.locator('.skip').focus();
  await page.evaluate(() => { window.reached = new WeakSet([document.activeElement]); });
  for (let stop = 0; stop < stopsMax; stop += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(whereFocusIs);
    if (at === 'end') break;
    assert.equal(at, '', `${name}: the focus is not to be seen`);
  }
  assert.deepEqual(await page.evaluate(notReached), [], `${name}: not reached by Tab`);
}

// 'end', or the element whose focus does not show, or nothing. Runs in the page.
function whereFocusIs() {
  const element = document.activeElement;
  if (!element || element === document.body || window.reached.has(element)) return 'end';
  window.reached.add(element);
  // Radio buttons and the choice of a file show it on the label around them.
  const dressed = [element, element.closest('label, .drop')].filter(Boolean);
  const outlined = dressed.some((one) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    return outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0;
  });
  const box = (element.closest('label, .drop') ?? element).getBoundingClientRect();
  const inside = box.width > 0 && box.bottom > 0 && box.top < window.innerHeight;
  return outlined && inside ? '' : element.outerHTML.slice(0, 160);
}

function notReached() {
  const able = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  const skipped = ':disabled, [tabindex="-1"], fieldset:disabled *';
  return [...document.querySelectorAll(able)]
    .filter((one) => !one.matches(skipped) && one.checkVisibility() && !window.reached.has(one))
    .filter((one) => one.type !== 'radio' || one.checked) // the arrow keys go to the others
    .map((one) => one.outerHTML.slice(0, 160));
}
