// The page in Chromium, as people meet it: node page_browser.mjs SETTINGS, a JSON object:
//   modules     the folder with playwright-core
//   url         of the page; pictures: where screenshots go
//   hostile     names that must be shown as text: {rule, sender, name}, the last one of the address `named`
// Prints a line of JSON for each check: {"check":..., "error": what was wrong or null}.
import { mkdirSync } from "node:fs";
import { pathToFileURL } from "node:url";

const settings = JSON.parse(process.argv[2]);
const { chromium } = await import(pathToFileURL(`${settings.modules}/playwright-core/index.mjs`).href);

const PATIENCE_MS = 45_000;
const SIZES = [
  { name: "wide", viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  { name: "narrow", viewport: { width: 390, height: 800 }, colorScheme: "dark" },
];

function demand(holds, what) {
  if (!holds) throw new Error(what);
}

const shownAs = (name) => name.replace(/[\u202e]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
const text = (page, value) => page.getByText(value).first().waitFor();

// A view's checks leave it as a picture is to show it.
const VIEWS = {
  async map(page) {
    await page.goto(settings.url);
    await page.waitForURL((url) => !url.hash.includes("token"));
    const shop = page.locator(".picture .node", { hasText: "shop" }).first();
    await shop.waitFor();
    await page.locator(".picture .node", { hasText: "outside" }).waitFor();
    await page.locator(".picture path.edge.denied").first().waitFor({ state: "attached" });
    await page.locator(".picture path.edge.allowed").first().waitFor({ state: "attached" });
    await page.locator(".picture text", { hasText: "✕" }).first().waitFor();
    await shop.focus();
    await page.keyboard.press("Enter");
    await page.locator(".picture .node.workload", { hasText: "frontend" }).waitFor();
    await page.locator(".picture .node.workload", { hasText: "database" }).waitFor();
    const denied = page.locator("tr", { hasText: "shop/frontend" }).filter({ hasText: "shop/database" });
    await denied.filter({ hasText: "denied" }).waitFor();
    await page.locator(".picture path.edge.would").first().waitFor({ state: "attached" });
    const would = page.locator("tr", { hasText: "shop/frontend" }).filter({ hasText: "shop/backend" });
    await would.filter({ hasText: "would be denied" }).waitFor();
  },
  async hidden(page) {
    await page.keyboard.press("/");
    await page.keyboard.type("outside");
    await page.locator(".node.workload", { hasText: "database" }).waitFor({ state: "detached" });
    await page.keyboard.press("Control+A");
    await page.keyboard.press("Delete");
    await page.locator(".node.workload", { hasText: "database" }).waitFor();
    await page.getByLabel("Hide namespaces").fill("shop");
    await page.locator(".node.workload").first().waitFor({ state: "detached" });
    await page.getByLabel("Hide namespaces").fill("");
    await page.locator(".node.workload").first().waitFor();
    await page.evaluate(() => document.activeElement.blur());
  },
  async drops(page) {
    await page.keyboard.press("2");
    const row = page.locator("tr.row", { hasText: "shop/database ingress default" }).first();
    await row.waitFor();
    demand((await row.innerText()).includes("policy_denied"), "a drop lacks its reason");
    await text(page, `egress[0] "${shownAs(settings.hostile.rule)}"`);
    await page.keyboard.press("/");
    await page.keyboard.type("database 5432");
    await page.waitForFunction(() => [...document.querySelectorAll("tr.row")].every((one) => one.innerText.includes(":5432")));
    await row.locator("button").focus();
    await page.keyboard.press("Enter");
    const opened = page.locator(".opened .explanation");
    await opened.waitFor();
    const said = await opened.innerText();
    demand(/✕\s*deny/.test(said), `the explanation of a drop does not deny: ${said}`);
    demand(said.includes("shop/database ingress default"), `the explanation lacks the rule: ${said}`);
  },
  async policies(page) {
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("3");
    await text(page, "shop/frontend");
    await page.getByLabel("Show").selectOption("unused");
    const policy = page.locator("details", { hasText: "shop/database" });
    await policy.waitFor();
    await policy.locator("summary").click();
    await policy.getByText("○ unused").first().waitFor();
    await page.getByLabel("Show").selectOption("covered");
    const shadowed = page.locator("details", { hasText: "shop/shadowed" });
    await shadowed.waitFor();
    await policy.waitFor({ state: "detached" });
    await shadowed.locator("summary").click();
    await shadowed.getByText("◑ shadowed by ingress[1]").waitFor();
    await page.getByLabel("Show").selectOption("hit");
    await page.locator(".policy summary", { hasText: "packets/s" }).first().waitFor();
    await page.getByLabel("Name").fill("hostile");
    const hostile = page.locator("details", { hasText: "hostile" });
    await hostile.waitFor();
    await page.locator("details", { hasText: "shop/database" }).waitFor({ state: "detached" });
    await hostile.locator("summary").click();
    await hostile.getByText(`"${shownAs(settings.hostile.rule)}"`).waitFor();
  },
  async explain(page) {
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("4");
    await page.getByLabel("From", { exact: true }).fill("fron");
    await page.locator("#sources option[value='shop/frontend']").waitFor({ state: "attached" });
    await page.getByLabel("From", { exact: true }).fill("shop/frontend");
    await page.getByLabel("To", { exact: true }).fill("shop/database");
    await page.getByLabel("Port", { exact: true }).fill("5432");
    await page.keyboard.press("Enter");
    const answer = page.locator(".explanation");
    await answer.waitFor();
    demand(/✕\s*deny/.test(await answer.innerText()), "what is denied is not explained as denied");
    await page.getByLabel("To", { exact: true }).fill("shop/backend");
    await page.getByLabel("Port", { exact: true }).fill("80");
    await page.keyboard.press("Enter");
    await answer.getByText("shop/backend ingress[0]").waitFor();
    demand(/✓\s*allow/.test(await answer.innerText()), "what is allowed is not explained as allowed");
    await page.getByLabel("To", { exact: true }).fill(settings.hostile.named);
    await page.keyboard.press("Enter");
    await answer.getByText(settings.hostile.name).waitFor();
    demand((await answer.innerText()).includes(`${settings.hostile.named} is ${settings.hostile.name}, learnt`), "a name lacks its address");
    await page.getByLabel("To", { exact: true }).fill("nobody/nowhere");
    await page.keyboard.press("Enter");
    await page.locator(".problems").waitFor();
    await page.getByLabel("To", { exact: true }).fill("shop/backend");
    await page.keyboard.press("Enter");
    await answer.waitFor();
  },
  async dataplanes(page) {
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("5");
    await page.locator(".dataplane").nth(1).waitFor();
    await text(page, /half within/);
    await text(page, shownAs(settings.hostile.sender));
    await page.locator(".chart canvas").waitFor();
  },
  async staged(page) {
    await page.keyboard.press("6");
    const row = page.locator("tbody tr", { hasText: "shop/frontend" }).filter({ hasText: "shop/backend" });
    await row.first().waitFor();
    const said = await row.first().innerText();
    demand(/✕\s*denied/.test(said) && said.includes("shop/backend ingress default"), `what would be denied lacks its rule: ${said}`);
    await text(page, /connections would be denied/);
    await page.keyboard.press("/");
    await page.keyboard.type("nobody");
    await row.first().waitFor({ state: "detached" });
    await page.keyboard.press("Control+A");
    await page.keyboard.press("Delete");
    await row.first().waitFor();
  },
};

async function fits(page) {
  const { wanted, there } = await page.evaluate(() => ({
    wanted: document.documentElement.scrollWidth,
    there: document.documentElement.clientWidth,
  }));
  demand(wanted <= there, `the view wants ${wanted} pixels of ${there}`);
}

mkdirSync(settings.pictures, { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
for (const size of SIZES) {
  const context = await browser.newContext({ viewport: size.viewport, colorScheme: size.colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const wrong = [];
  page.on("console", (message) => message.type() === "error" && !/status of 40|status of 50/.test(message.text()) && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("dialog", (dialog) => { wrong.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  const own = new URL(settings.url).host;
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== "data:" && host !== own) wrong.push(`asks ${request.url()}`);
  });
  const check = async (name, run) => {
    let error = null;
    try {
      await run();
    } catch (failure) {
      error = failure.message;
    }
    // Without the empty rest of the window.
    const end = await page.evaluate(() => Math.max(0, ...[...document.querySelectorAll("section *")].map((one) => one.getBoundingClientRect().bottom)));
    const height = Math.min(size.viewport.height, end > 0 ? Math.ceil(end) + 16 : size.viewport.height);
    await page.screenshot({ path: `${settings.pictures}/${size.name}-${name}.png`, clip: { x: 0, y: 0, width: size.viewport.width, height } });
    console.log(JSON.stringify({ check: `${size.name}: ${name}`, error }));
  };
  for (const [name, run] of Object.entries(VIEWS)) {
    await check(name, async () => {
      await run(page);
      await fits(page);
    });
  }
  await check("nothing else", async () => {
    demand(await page.evaluate(() => globalThis.hacked === undefined && document.images.length === 0), "a name became markup");
    demand(wrong.length === 0, wrong.join("; "));
    const back = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const isDark = Number(/\d+/.exec(back)[0]) < 128;
    demand(isDark === (size.colorScheme === "dark"), `the background is ${back} where ${size.colorScheme} is asked for`);
  });
  await context.close();
}
await browser.close();
