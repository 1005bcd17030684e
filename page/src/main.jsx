// Sluice's page: what policy does. Six views; numbers 1 to 6 switch between them.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";

import { takeToken } from "./api.js";
import { usePolled } from "./common.jsx";
import { Dataplanes, useRates } from "./dataplanes.jsx";
import { Drops } from "./drops.jsx";
import { ExplainForm } from "./explain.jsx";
import { TrafficMap } from "./map.jsx";
import { Policies } from "./policies.jsx";
import { Staged } from "./staged.jsx";

const VIEWS = [
  ["map", "Map"],
  ["drops", "Drops"],
  ["policies", "Policies"],
  ["explain", "Explain"],
  ["dataplanes", "Dataplanes"],
  ["staged", "Staged"],
];

function viewOf(hash) {
  const name = hash.replace(/^#\/?/, "").split("?")[0];
  return VIEWS.some(([known]) => known === name) ? name : "map";
}

function Page() {
  const [view, setView] = useState(viewOf(location.hash));
  const dataplanes = usePolled("/api/dataplanes", 2000);
  const rates = useRates(dataplanes.answer);
  const list = dataplanes.answer?.dataplanes ?? [];
  useEffect(() => {
    const change = () => setView(viewOf(location.hash));
    const press = (event) => {
      const number = Number(event.key);
      if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea")) return;
      if (number >= 1 && number <= VIEWS.length) location.hash = `#/${VIEWS[number - 1][0]}`;
    };
    addEventListener("hashchange", change);
    addEventListener("keydown", press);
    return () => {
      removeEventListener("hashchange", change);
      removeEventListener("keydown", press);
    };
  }, []);
  const failing = list.filter((one) => one.error).length;
  return (
    <>
      <header>
        <h1>Sluice</h1>
        <nav aria-label="Views">
          {VIEWS.map(([name, title], i) => (
            <a href={`#/${name}`} aria-current={name === view ? "page" : undefined} title={`key ${i + 1}`}>
              {title}
            </a>
          ))}
        </nav>
        <p class="state" role="status">
          {dataplanes.error
            ? "✕ no answer"
            : !dataplanes.answer
              ? "…"
              : failing > 0
                ? `✕ ${failing} of ${list.length} dataplanes do not answer`
                : list.length === 1
                  ? `✓ generation ${list[0].generation}`
                  : `✓ ${list.length} dataplanes`}
        </p>
      </header>
      <main>
        {view === "map" && <TrafficMap />}
        {view === "drops" && <Drops dataplanes={list} />}
        {view === "policies" && <Policies />}
        {view === "explain" && <ExplainForm dataplanes={list} />}
        {view === "staged" && <Staged />}
        {view === "dataplanes" && <Dataplanes answer={dataplanes} rates={rates} />}
      </main>
    </>
  );
}

takeToken();
render(<Page />, document.getElementById("page"));
