// Live drops: each with the policy, the rule and the generation; its explanation opens below it.
import { useEffect, useRef, useState } from "preact/hooks";

import { follow, query } from "./api.js";
import { Problems, useSlash, Verdict } from "./common.jsx";
import { Explanation, useExplanation } from "./explain.jsx";
import { clock, count, end, rule, shown } from "./text.js";

const MOST = 300;

// The drops that came, newest first, and what went wrong.
function useDrops(paused) {
  const [drops, setDrops] = useState([]);
  const [missing, setMissing] = useState(0);
  const [error, setError] = useState("");
  const waits = useRef(paused);
  waits.current = paused;
  useEffect(() => {
    const ended = new AbortController();
    let number = 0;
    let timer = 0;
    const take = (events) => {
      if (waits.current) return;
      const came = events.filter((event) => event.reason);
      for (const event of came) event.number = ++number;
      const lost = events.reduce((sum, event) => sum + (event.not_shown ?? 0), 0);
      const wrong = events.findLast((event) => event.error);
      setError(wrong && events.at(-1) === wrong ? wrong.error : "");
      if (lost > 0) setMissing((before) => before + lost);
      if (came.length > 0) setDrops((before) => [...came.reverse(), ...before].slice(0, MOST));
    };
    const run = async () => {
      try {
        await follow("/api/drops", ended.signal, take);
        setError("the stream ended; it is begun again");
      } catch (wrong) {
        if (ended.signal.aborted) return;
        setError(wrong.message);
      }
      if (!ended.signal.aborted) timer = setTimeout(run, 3000);
    };
    run();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, []);
  return { drops, missing, error };
}

function Opened({ drop }) {
  const asked = {
    dataplane: String(drop.dataplane),
    src: drop.src.address,
    dst: drop.dst.address,
    proto: drop.proto,
    port: String(drop.dst.port ?? ""),
  };
  const explanation = useExplanation(asked);
  return (
    <tr class="opened">
      <td colSpan={7}>
        <Explanation {...explanation} />
        <p class="quiet">
          This is what the policy in force says now; the packet was judged by generation {drop.generation}, and came in at{" "}
          {shown(drop.device) || "an unknown port"} with {count(drop.length)} bytes.{" "}
          <a href={query("#/explain", asked)}>Change the question</a>
        </p>
      </td>
    </tr>
  );
}

function Row({ drop, isOpen, toggle, name }) {
  const canExplain = drop.src !== undefined;
  return (
    <>
      <tr class={isOpen ? "row open" : "row"}>
        <td data-name="Time" class="whole">
          {canExplain ? (
            <button class="plain" aria-expanded={isOpen} onClick={toggle} title="explain">
              {isOpen ? "▾" : "▸"} {clock(drop.time_ms)}
            </button>
          ) : (
            clock(drop.time_ms)
          )}
        </td>
        <td data-name="Verdict">
          <Verdict verdict={drop.verdict} reason={drop.reason} />
        </td>
        <td data-name="Protocol" class="whole">{drop.proto ?? "–"}</td>
        <td data-name="From" class="end">{end(drop.src)}</td>
        <td data-name="To" class="end">{end(drop.dst)}</td>
        <td data-name="Denied by">{drop.rules.map(rule).join(", ") || "–"}</td>
        <td data-name="Generation">
          <span>
            {drop.generation}
            {name ? <span class="quiet"> {name}</span> : null}
          </span>
        </td>
      </tr>
      {isOpen && <Opened drop={drop} />}
    </>
  );
}

export function Drops({ dataplanes }) {
  const [paused, setPaused] = useState(false);
  const [filter, setFilter] = useState("");
  const [open, setOpen] = useState(0);
  const field = useSlash();
  const { drops, missing, error } = useDrops(paused || open !== 0);
  useEffect(() => {
    const press = (event) => {
      if (event.key !== "p" || event.target.closest("input, select, textarea")) return;
      setPaused((before) => !before);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (drop) =>
    `${drop.reason} ${drop.verdict} ${drop.proto} ${end(drop.src)} ${end(drop.dst)} ${drop.rules.map(rule)}`.toLowerCase();
  const matching = drops.filter((drop) => words.every((word) => text(drop).includes(word)));
  return (
    <section aria-label="Drops">
      <div class="tools">
        <input ref={field} type="search" placeholder="Filter ( / )" aria-label="Filter" value={filter} onInput={(event) => setFilter(event.target.value)} />
        <button onClick={() => setPaused(!paused)} aria-pressed={paused}>
          {paused ? "Go on (p)" : "Pause (p)"}
        </button>
        <span class="quiet">
          {count(matching.length)} shown{missing > 0 ? `; ${count(missing)} more came too fast` : ""}
          {paused ? "; paused" : open !== 0 ? "; waiting while one is open" : ""}
        </span>
      </div>
      <Problems error={error} />
      {matching.length === 0 ? (
        <p class="empty">{drops.length === 0 ? "Nothing was dropped since you look." : "No drop matches the filter."}</p>
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>Time</th>
              <th>Verdict</th>
              <th>Proto</th>
              <th>From</th>
              <th>To</th>
              <th>Denied by</th>
              <th>Generation</th>
            </tr>
          </thead>
          <tbody>
            {matching.map((drop) => (
              <Row
                key={drop.number}
                drop={drop}
                isOpen={open === drop.number}
                toggle={() => setOpen(open === drop.number ? 0 : drop.number)}
                name={dataplanes.length > 1 ? shown(dataplanes[drop.dataplane]?.name) : ""}
              />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
