#!/usr/bin/env python3
"""The page on a large cluster, by hand: build/release/bin's sluiced with 100 namespaces, 5,000 pods and a million flows, and
Chromium that looks at its map. Prints what each view's answer takes and weighs, and how long the browser takes to show it.

    tests/e2e/page_scale.py [--flows 1000000] [--turns 8] [--pictures DIR | --no-browser]
"""

import argparse
import contextlib
import gzip
import json
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from lab import page_packages

BIN = ROOT / "build" / "release" / "bin"
NAMESPACES, WORKLOADS, REPLICAS = 100, 10, 5
SCRIPT = """
const { chromium } = await import(`${process.argv[1]}/playwright-core/index.mjs`);
const [, , url, pictures] = process.argv;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
page.setDefaultTimeout(120000);
const since = async (what, act, done) => {
  const start = performance.now();
  await act();
  await done();
  console.log(JSON.stringify({ what, ms: Math.round(performance.now() - start) }));
};
const drawn = (selector) => page.locator(selector).first().waitFor();
const counted = { answers: 0, bytes: 0, most: 0 };
page.on("response", async (answer) => {
  if (!answer.url().includes("/api/") || answer.url().includes("/api/drops")) return;
  const bytes = (await answer.body().catch(() => "")).length;
  counted.answers += 1;
  counted.bytes += bytes;
  counted.most = Math.max(counted.most, bytes);
});
const picture = async (name) => { if (pictures) await page.screenshot({ path: `${pictures}/scale-${name}.png` }); };
await since("the page, until the map is there", () => page.goto(url), () => drawn(".picture .node"));
await picture("map");
await since("a namespace opened, until its workloads are there", async () => { await page.locator(".picture .node").first().focus(); await page.keyboard.press("Enter"); }, () => drawn(".picture .node.workload"));
await picture("opened");
await page.getByRole("button", { name: "Close all" }).click();
await page.locator(".picture .node.workload").first().waitFor({ state: "detached" });
await since("a name typed, until the picture is of it", () => page.getByLabel("Around").fill("team-007"), () =>
  page.waitForFunction(() => [...document.querySelectorAll(".picture .node text")].some((one) => one.textContent.includes("team-007"))));
await picture("around");
await page.getByLabel("Around").fill("");
await since("300 lines drawn", () => page.getByLabel("Lines drawn").selectOption("300"), () =>
  page.waitForFunction(() => document.querySelectorAll(".picture path.edge").length >= 250));
await picture("300-lines");
const longest = await page.evaluate(() => new Promise((resolve) => {
  let longest = 0, before = performance.now(), frames = 0;
  const frame = (now) => { longest = Math.max(longest, now - before); before = now; ++frames < 400 ? requestAnimationFrame(frame) : resolve(longest); };
  requestAnimationFrame(frame);
}));
console.log(JSON.stringify({ what: "the longest frame while answers come", ms: Math.round(longest) }));
await page.evaluate(() => document.activeElement.blur());
for (const [key, name] of [["3", "Policies"], ["5", "Dataplanes"], ["4", "Explain"], ["6", "Staged"], ["1", "Map"]]) {
  await since(`the view ${name}`, () => page.keyboard.press(key), () => drawn(`section[aria-label="${name}"]`));
}
await page.setViewportSize({ width: 390, height: 800 });
await drawn(".picture .node");
await picture("narrow");
console.log(JSON.stringify({ what: "what came for all of this, but for live drops", ...counted }));
await browser.close();
"""


def address_of(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def manifests():
    items, number = [], 1
    for space in range(NAMESPACES):
        name = f"team-{space:03}"
        items.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        items.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "pods", "namespace": name},
                      "spec": {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"protocol": "UDP", "port": 53}]}]}})
        for workload in range(WORKLOADS):
            for _ in range(REPLICAS):
                items.append({"apiVersion": "v1", "kind": "Pod",
                              "metadata": {"name": f"app{workload}-6d4cf56db6-{number:05}", "namespace": name,
                                           "labels": {"app": f"app{workload}", "pod-template-hash": "6d4cf56db6"}},
                              "status": {"phase": "Running", "podIP": address_of(number), "podIPs": [{"ip": address_of(number)}]}})
                number += 1
    return {"apiVersion": "v1", "kind": "List", "items": items}


def write_capture(path, flows):
    """A packet of each flow between pods; one of twenty is denied."""
    chance, pods = random.Random(1), NAMESPACES * WORKLOADS * REPLICAS
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(flows):
            source = chance.randrange(pods)
            # Most of what a pod says is to its own namespace and a few others.
            space = (source // (WORKLOADS * REPLICAS) + chance.choice((0, 0, 0, 1, 7, chance.randrange(NAMESPACES)))) % NAMESPACES
            target = space * WORKLOADS * REPLICAS + chance.randrange(WORKLOADS * REPLICAS)
            port = 53 if number % 20 else 80
            udp = struct.pack("!HHHH", 1024 + number % 64000, port, 28, 0) + bytes(20)
            ends = socket.inet_aton(address_of(source + 1)) + socket.inet_aton(address_of(target + 1))
            frame = bytes(12) + b"\x08\x00" + struct.pack("!BBHHHBBH", 0x45, 0, 48, 1, 0, 64, 17, 0) + ends + udp
            file.write(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)


def get(port, path):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept-Encoding": "gzip"})
    start = time.monotonic()
    with urllib.request.urlopen(request, timeout=120) as answer:
        body = answer.read()
    return time.monotonic() - start, gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--flows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=8, help="requests for each view, a second apart")
    parser.add_argument("--pictures", default="")
    parser.add_argument("--no-browser", action="store_true")
    arguments = parser.parse_args()
    modules = None if arguments.no_browser else page_packages.installed() / "node_modules"
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-page-")))
        (folder / "policy.json").write_text(json.dumps(manifests()))
        write_capture(folder / "in.pcap", arguments.flows)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        (folder / "sluiced.yaml").write_text(json.dumps({
            "wires": [[f"pcap:{folder}/in.pcap", "null"]], "manifests": [str(folder / "policy.json")], "listen": [f"unix:{folder}/s.sock"],
            "http": f"127.0.0.1:{port}", "flows": {"ipv4": arguments.flows * 5 // 4, "ipv6": 64}, "timeouts": {"udp": 86400}}))
        log = stack.enter_context(open(folder / "sluiced.log", "w", encoding="utf-8"))
        sluiced = subprocess.Popen([BIN / "sluiced", "--no-huge", "--config", folder / "sluiced.yaml"], stdout=subprocess.PIPE, stderr=log)
        stack.callback(sluiced.wait)
        stack.callback(sluiced.send_signal, signal.SIGTERM)
        assert sluiced.stdout.readline() == b"ready\n", (folder / "sluiced.log").read_text()
        flows = lambda: json.loads(get(port, "/api/dataplanes")[1])["dataplanes"][0]["flows"]
        before = -1
        while (now := flows()) != before:
            before = now
            time.sleep(1)
        print(json.dumps({"flows": now}))
        views = {"dataplanes": "", "map": "", "map, opened": "?open=team-001&open=team-002", "map, all hidden but some": "?hide=" + "&hide=".join(f"team-{space:03}" for space in range(5, NAMESPACES)),
                 "policies": "", "policies, by name": "?q=team-007", "policies, shadowed": "?show=covered", "staged": "", "pods": "?q=app3",
                 "explain": f"?dataplane=0&src=team-001/app0-6d4cf56db6-{WORKLOADS * REPLICAS + 1:05}&dst=10.0.0.9&proto=udp&port=53"}  # fmt: skip
        for view, query in views.items():
            path = "/api/" + view.split(",")[0] + query
            taken, body = [], b""
            for _ in range(arguments.turns):
                seconds, body = get(port, path)
                taken.append(round(1000 * seconds))
                time.sleep(1)
            shown = json.loads(body)
            sizes = {key: len(value) for key, value in shown.items() if isinstance(value, list) and value}
            print(json.dumps({"what": view, "first_ms": taken[0], "others_ms": sorted(taken[1:]), "bytes": len(body), "gzipped": len(gzip.compress(body)), "lists": sizes,
                              "wrong": shown.get("error") or shown.get("problems") or None}), flush=True)  # fmt: skip
        if arguments.no_browser:
            return
        subprocess.run(["node", "--input-type=module", "-e", SCRIPT, str(modules), f"http://127.0.0.1:{port}/", arguments.pictures], check=True, timeout=600)


if __name__ == "__main__":
    main()
