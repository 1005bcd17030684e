// The dataplanes: which policy each has, from whom and since when, how fast it came into force, and what they forward.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

import { Problems } from "./common.jsx";
import { ago, count, millis, short, shown } from "./text.js";

const KEPT = 300; // points of the chart

// Packets a second, forwarded and denied by all dataplanes, at each answer.
export function useRates(answer) {
  const before = useRef(null);
  const [rates, setRates] = useState([[], [], []]);
  useEffect(() => {
    if (!answer) return;
    const now = Date.now();
    const sum = (of) => answer.dataplanes.reduce((total, one) => total + (one.error ? 0 : of(one)), 0);
    const totals = { now, forwarded: sum((one) => one.forwarded), denied: sum((one) => one.dropped + one.rejected) };
    const last = before.current;
    before.current = totals;
    if (!last) return;
    const rate = (name) => Math.max(0, ((totals[name] - last[name]) * 1000) / (now - last.now));
    setRates((old) =>
      [now / 1000, rate("forwarded"), rate("denied")].map((value, i) => [...old[i], value].slice(-KEPT)),
    );
  }, [answer]);
  return rates;
}

function Chart({ rates }) {
  const place = useRef(null);
  const chart = useRef(null);
  const newest = useRef(rates);
  newest.current = rates;
  useEffect(() => {
    const element = place.current;
    const make = () => {
      chart.current?.destroy();
      const style = getComputedStyle(document.documentElement);
      const color = (name) => style.getPropertyValue(name).trim();
      const axis = { stroke: color("--text"), grid: { stroke: color("--line") }, ticks: { stroke: color("--line") } };
      const options = {
        width: element.clientWidth,
        height: 220,
        series: [
          {},
          { label: "forwarded packets/s", stroke: color("--good"), width: 2, value: (_, value) => (value == null ? "–" : short(value)) },
          { label: "denied packets/s", stroke: color("--bad"), width: 2, dash: [6, 4], value: (_, value) => (value == null ? "–" : short(value)) },
        ],
        axes: [axis, { ...axis, size: 60, values: (_, values) => values.map(short) }],
        scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
      };
      chart.current = new uPlot(options, newest.current, element);
    };
    make();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const resize = () => chart.current.setSize({ width: element.clientWidth, height: 220 });
    dark.addEventListener("change", make);
    addEventListener("resize", resize);
    return () => {
      dark.removeEventListener("change", make);
      removeEventListener("resize", resize);
      chart.current.destroy();
      chart.current = null;
    };
  }, []);
  useEffect(() => chart.current?.setData(rates), [rates]);
  return <div class="chart" ref={place} role="img" aria-label="Packets a second, forwarded and denied, since this page is open" />;
}

function Dataplane({ one }) {
  if (one.error) {
    return (
      <article class="dataplane">
        <h2>✕ {shown(one.name)}</h2>
        <Problems error={one.error} />
      </article>
    );
  }
  const sender = one.sender
    ? `${shown(one.sender)}, ${one.sender_connected ? "✓ connected" : "✕ not connected"}, heard ${ago(one.sender_heard_ms)}`
    : `none: policy is from ${one.source}`;
  const rows = [
    ["Generation", one.generation],
    ["In force since", ago(one.published_ms)],
    ["Sender", sender],
    ["Received to in force", `half within ${millis(one.in_force_p50_ms)}, 99 of 100 within ${millis(one.in_force_p99_ms)}`],
    ["Policies", `${count(one.policies)} with ${count(one.rules)} rules, ${count(one.endpoints)} pods`],
    ["Connections", `${count(one.flows)} of ${count(one.flow_capacity)}; ${count(one.flows_cut)} cut by changes of policy`],
    ["Packets", `${count(one.forwarded)} forwarded, ${count(one.dropped)} dropped, ${count(one.rejected)} rejected`],
    ["Version", `${one.version}, started ${ago(one.started_ms)}, ${one.workers} ${one.workers === 1 ? "worker" : "workers"}`],
  ];
  const problems = [
    ...(one.fail_closed ? ["there is no policy yet: all is dropped"] : []),
    ...(one.not_kept ? [`the policy is not kept on disk: ${one.not_kept}`] : []),
    ...one.last_refusal.map((text) => `refused: ${text}`),
    ...one.held.map((text) => `held back: ${text}`),
    ...one.warnings,
  ];
  return (
    <article class="dataplane">
      <h2>✓ {shown(one.name)}</h2>
      <dl>
        {rows.map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Problems list={problems} />
    </article>
  );
}

export function Dataplanes({ answer, rates }) {
  const list = answer.answer?.dataplanes ?? [];
  return (
    <section aria-label="Dataplanes">
      <Problems error={answer.error} />
      <Chart rates={rates} />
      {answer.answer && list.length === 0 ? <p class="empty">It has not begun yet, or has no control API.</p> : null}
      {list.map((one) => (
        <Dataplane key={one.name} one={one} />
      ))}
    </section>
  );
}
