// Who talks to whom: namespaces, opened to workloads, with what is allowed and what is denied between them.
import dagre from "@dagrejs/dagre";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { query } from "./api.js";
import { Problems, usePolled, useSettled, useSlash } from "./common.jsx";
import { count, short, shown } from "./text.js";

const OUTSIDE = "outside";
const MOST_LETTERS = 24;
const DRAWN = [40, 100, 300]; // lines; more of them tell less
const MIN_SCALE = 0.5; // names can still be read
const MAX_SCALE = 2;

const keyOf = (node) => JSON.stringify([node.namespace, node.workload]);
const isOutside = (node) => node.namespace === "" && node.workload === "";

function nameOf(node) {
  return isOutside(node) ? OUTSIDE : shown(node.workload ? `${node.namespace}/${node.workload}` : node.namespace);
}

function label(node) {
  const name = isOutside(node) ? OUTSIDE : shown(node.workload || node.namespace);
  return name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name;
}

const NODE_GAP = 40;
const MARGIN = 30;
const ROW_GAP = 60; // what a node's line to itself says needs room at its right
const LEAST_ROW_WIDTH = 1080;

// Places by dagre: nodes by number, so that no name is taken for anything else. Nodes that only talk to themselves stand
// below, in rows: in one column they would leave the picture empty.
function layOut(nodes, pairs) {
  const graph = new dagre.graphlib.Graph({ multigraph: false });
  graph.setGraph({ rankdir: "LR", nodesep: NODE_GAP, ranksep: 130, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  const sizeOf = (node) => ({ width: 40 + label(node).length * 7.5, height: node.workload ? 44 : 36 });
  const joined = pairs.filter(([from, to]) => from !== to);
  for (const number of new Set(joined.flat())) graph.setNode(String(number), sizeOf(nodes[number]));
  for (const [from, to] of joined) graph.setEdge(String(from), String(to));
  dagre.layout(graph);
  let { width, height } = joined.length > 0 ? graph.graph() : { width: 0, height: MARGIN };
  const rowWidth = Math.max(width, LEAST_ROW_WIDTH);
  const row = { x: MARGIN, y: height, height: 0 };
  const places = nodes.map((node, number) => {
    if (graph.hasNode(String(number))) return graph.node(String(number));
    const size = sizeOf(node);
    if (row.x + size.width > rowWidth && row.x > MARGIN) Object.assign(row, { x: MARGIN, y: row.y + row.height + NODE_GAP, height: 0 });
    const place = { ...size, x: row.x + size.width / 2, y: row.y + size.height / 2 };
    row.x += size.width + ROW_GAP;
    row.height = Math.max(row.height, size.height);
    width = Math.max(width, row.x - ROW_GAP + MARGIN);
    height = row.y + row.height + MARGIN;
    return place;
  });
  return {
    width: Math.max(width, 200),
    height: Math.max(height, 80),
    places,
    points: pairs.map(([from, to]) => (from === to ? null : graph.edge(String(from), String(to)).points)),
  };
}

// A line through points, softened at its corners.
function pathOf(points) {
  const at = (point) => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`;
  let path = `M${at(points[0])}`;
  for (let i = 1; i < points.length - 1; ++i) {
    const middle = { x: (points[i].x + points[i + 1].x) / 2, y: (points[i].y + points[i + 1].y) / 2 };
    path += ` Q${at(points[i])} ${at(i === points.length - 2 ? points[i + 1] : middle)}`;
  }
  return points.length === 2 ? `${path} L${at(points[1])}` : path;
}

// A node's edge to itself, above it: what it says to others begins at its right.
function loopOf(place) {
  const top = place.y - place.height / 2;
  return `M${place.x - 24} ${top} C${place.x - 30} ${top - 30} ${place.x + 16} ${top - 30} ${place.x + 10} ${top}`;
}

function Says({ edge }) {
  const { connections, denied, would_deny: wouldDeny, would_allow: wouldAllow } = edge;
  return (
    <>
      {connections > 0
        ? `✓ ${count(connections)} ${connections === 1 ? "connection" : "connections"}, ${short(edge.packets_per_second)} packets/s, ${short(edge.bytes_per_second)} bytes/s`
        : ""}
      {connections > 0 && denied > 0 ? "; " : ""}
      {denied > 0 ? <span class="bad">✕ {count(denied)} denied</span> : ""}
      {wouldDeny > 0 ? <span class="would"> ⚑ {count(wouldDeny)} {wouldDeny === 1 ? "connection" : "connections"} would be denied</span> : ""}
      {wouldAllow > 0 ? ` ⚐ ${count(wouldAllow)} denied ${wouldAllow === 1 ? "packet" : "packets"} would be allowed` : ""}
    </>
  );
}

function Edge({ edge, points, place }) {
  const path = points ? pathOf(points) : loopOf(place);
  const width = Math.min(6, 1.5 + Math.log10(1 + edge.bytes_per_second / 1000));
  return (
    <g>
      {edge.connections > 0 && <path class="edge allowed" d={path} stroke-width={width} marker-end="url(#allowed)" />}
      {edge.denied > 0 && <path class="edge denied" d={path} transform={edge.connections > 0 ? "translate(0 7)" : undefined} marker-end="url(#denied)" />}
      {edge.would_deny > 0 && <path class="edge would" d={path} transform="translate(0 -7)" marker-end="url(#would)" />}
    </g>
  );
}

// Above all lines, those of other edges included; and above the edge's own uppermost one, which it would cross where
// that is steep.
function EdgeText({ edge, points, place }) {
  const isDenied = edge.denied > 0;
  const wouldBe = edge.would_deny > 0;
  const number = points ? Math.floor(points.length / 2) : 0;
  const middle = points ? points[number] : { x: place.x + 18, y: place.y - place.height / 2 - 4 };
  const [before, after] = points ? [points[number - 1] ?? middle, points[number + 1] ?? middle] : [middle, middle];
  const steep = Math.min(12, (26 * Math.abs(after.y - before.y)) / Math.max(1, Math.abs(after.x - before.x)));
  return (
    <text class={`edge-text${isDenied ? " bad" : wouldBe ? " would" : ""}${points ? "" : " own"}`} x={middle.x} y={middle.y - (wouldBe ? 13 : 6) - steep}>
      {[
        isDenied ? `✕ ${short(edge.denied)}` : "",
        wouldBe ? `⚑ ${short(edge.would_deny)}` : "",
        edge.packets_per_second > 0 ? `${short(edge.packets_per_second)}/s` : "",
      ]
        .filter(Boolean)
        .join(" · ")}
    </text>
  );
}

function Node({ node, place, toggle }) {
  const press = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    toggle();
  };
  const canOpen = !isOutside(node);
  const title = canOpen ? `${nameOf(node)}: ${node.workload ? "close" : "open"} the namespace` : "addresses of no pod";
  return (
    <g
      class={node.workload ? "node workload" : canOpen ? "node" : "node outside"}
      transform={`translate(${place.x} ${place.y})`}
      tabindex={canOpen ? 0 : undefined}
      role={canOpen ? "button" : undefined}
      aria-label={title}
      onClick={canOpen ? toggle : undefined}
      onKeyDown={canOpen ? press : undefined}
    >
      <title>{title}</title>
      <rect x={-place.width / 2} y={-place.height / 2} width={place.width} height={place.height} rx={6} />
      <text y={node.workload ? -4 : 4}>{label(node)}</text>
      {node.workload ? <text class="small" y={14}>{label({ namespace: node.namespace, workload: "" })}</text> : null}
    </g>
  );
}

function Marker({ id }) {
  return (
    <marker id={id} class={id} viewBox="0 0 8 8" refX={7} refY={4} markerWidth={9} markerHeight={9} markerUnits="userSpaceOnUse" orient="auto">
      <path d="M0 0 L8 4 L0 8 z" />
    </marker>
  );
}

// How wide an element is, at any time.
function useWidth(place) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = place.current;
    const watch = new ResizeObserver(() => setWidth(element.clientWidth));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return width;
}

function Picture({ nodes, edges, toggle }) {
  const place = useRef(null);
  const width = useWidth(place);
  const [zoom, setZoom] = useState(1); // of what fits
  const pairs = edges.map((edge) => [edge.from, edge.to]);
  const laid = useMemo(() => layOut(nodes, pairs), [JSON.stringify([nodes.map(keyOf), pairs])]);
  const whole = { width: laid.width + ROW_GAP, height: laid.height };
  const fitting = Math.min(1, Math.max(MIN_SCALE, width / whole.width));
  const scale = Math.min(MAX_SCALE, fitting * zoom);
  return (
    <div>
      <div class="zoom">
        <button onClick={() => setZoom(Math.min(4, zoom * 1.4))} aria-label="Larger" title="larger">+</button>
        <button onClick={() => setZoom(Math.max(0.25, zoom / 1.4))} aria-label="Smaller" title="smaller">−</button>
        <button onClick={() => setZoom(1)} title="as large as fits">Fit</button>
      </div>
      <div class="picture" ref={place} tabindex={0} role="group" aria-label="The map; the table below says the same">
        <svg width={whole.width * scale} height={whole.height * scale} viewBox={`0 0 ${whole.width} ${whole.height}`}>
          <defs>
            <Marker id="allowed" />
            <Marker id="denied" />
            <Marker id="would" />
          </defs>
          {edges.map((edge, i) => (
            <Edge key={`${edge.from}-${edge.to}`} edge={edge} points={laid.points[i]} place={laid.places[edge.from]} />
          ))}
          {edges.map((edge, i) => (
            <EdgeText key={`${edge.from}-${edge.to}`} edge={edge} points={laid.points[i]} place={laid.places[edge.from]} />
          ))}
          {nodes.map((node, i) => (
            <Node key={keyOf(node)} node={node} place={laid.places[i]} toggle={() => toggle(node.namespace)} />
          ))}
        </svg>
      </div>
    </div>
  );
}

function Legend({ line, says }) {
  return (
    <span class="legend">
      <svg width="34" height="10" aria-hidden="true">
        <path class={`edge ${line}`} d="M2 5 L32 5" stroke-width="2" />
      </svg>
      <span>{says}</span>
    </span>
  );
}

const byName = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// The first edges, so many between nodes, and what the nodes that these join say to themselves; where there are fewer,
// other nodes' own.
function chosen(edges, most) {
  const isOwn = (edge) => edge.from === edge.to;
  const between = edges.filter((edge) => !isOwn(edge)).slice(0, most);
  const joined = new Set(between.flatMap((edge) => [edge.from, edge.to]));
  const own = edges.filter((edge) => isOwn(edge) && joined.has(edge.from));
  const others = edges.filter((edge) => isOwn(edge) && !joined.has(edge.from));
  return [...between, ...own, ...others.slice(0, most - between.length)];
}

// These edges with the nodes that they join, by name, so that the same traffic is laid out the same way.
function drawing(nodes, edges) {
  const used = [...new Set(edges.flatMap((edge) => [edge.from, edge.to]))];
  used.sort((a, b) => byName(keyOf(nodes[a]), keyOf(nodes[b])));
  const places = new Map(used.map((old, now) => [old, now]));
  const drawn = edges.map((edge) => ({ ...edge, from: places.get(edge.from), to: places.get(edge.to) }));
  drawn.sort((a, b) => a.from - b.from || a.to - b.to);
  return { nodes: used.map((i) => nodes[i]), edges: drawn };
}

function Table({ nodes, edges }) {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th>From</th>
          <th>To</th>
          <th>Says</th>
        </tr>
      </thead>
      <tbody>
        {edges.map((edge) => (
          <tr key={keyOf(nodes[edge.from]) + keyOf(nodes[edge.to])}>
            <td data-name="From">{nameOf(nodes[edge.from])}</td>
            <td data-name="To">{nameOf(nodes[edge.to])}</td>
            <td data-name="Says">
              <span>
                <Says edge={edge} />
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function TrafficMap() {
  const [open, setOpen] = useState([]);
  const [hide, setHide] = useState(sessionStorage.getItem("hide") ?? "");
  const [around, setAround] = useState("");
  const [most, setMost] = useState(DRAWN[0]);
  const field = useSlash();
  const hidden = useSettled(hide).split(/[\s,]+/).filter(Boolean);
  const { answer, error } = usePolled(query("/api/map", { open, hide: hidden }), 5000);
  const toggle = (space) => setOpen((before) => (before.includes(space) ? before.filter((one) => one !== space) : [...before, space]));
  const nodes = answer?.nodes ?? [];
  const edges = useMemo(() => {
    const isIt = (i) => nameOf(nodes[i]).includes(around);
    return (answer?.edges ?? []).filter((edge) => isIt(edge.from) || isIt(edge.to));
  }, [answer, around]);
  const picture = useMemo(() => drawing(nodes, chosen(edges, most)), [edges, most]);
  const notDrawn = edges.length - picture.edges.length;
  const between = picture.edges.filter((edge) => edge.from !== edge.to).length;
  return (
    <section aria-label="Map">
      <div class="tools">
        <label>
          Around
          <input ref={field} type="search" placeholder="part of a name ( / )" value={around} onInput={(event) => setAround(event.target.value)} />
        </label>
        <label>
          Hide namespaces
          <input
            type="search"
            placeholder="kube-system, ..."
            value={hide}
            onInput={(event) => {
              sessionStorage.setItem("hide", event.target.value);
              setHide(event.target.value);
            }}
          />
        </label>
        {edges.length > DRAWN[0] ? (
          <label>
            Lines drawn
            <select value={most} onChange={(event) => setMost(Number(event.target.value))}>
              {DRAWN.map((number) => (
                <option value={number}>{number}</option>
              ))}
            </select>
          </label>
        ) : null}
        {open.length > 0 ? <button onClick={() => setOpen([])}>Close all</button> : null}
        <Legend line="allowed" says="allowed: packets/s now" />
        <Legend line="denied" says="✕ denied: packets in 5 minutes" />
        {edges.some((edge) => edge.would_deny > 0) ? <Legend line="would" says="⚑ would be denied by what is staged: connections" /> : null}
      </div>
      <Problems error={error} list={answer?.problems} />
      {!answer && !error ? <p class="quiet">…</p> : null}
      {answer && edges.length === 0 ? <p class="empty">No traffic crosses the wire, or none that is chosen.</p> : null}
      {edges.length > 0 ? <Picture nodes={picture.nodes} edges={picture.edges} toggle={toggle} /> : null}
      {notDrawn > 0 ? <p class="quiet">Drawn are the {between} lines {open.length > 0 ? "of open namespaces, " : ""}with denials, or that carry most, and what their ends say to themselves; the table has {count(notDrawn)} more.</p> : null}
      {answer?.edges_left_out > 0 ? <p class="quiet">{count(answer.edges_left_out)} more pairs that carry less are left out; hide namespaces to see them.</p> : null}
      {answer?.not_told > 0 ? <p class="quiet">{count(answer.not_told)} connections and denied packets are of more pairs than are told apart.</p> : null}
      {edges.length > 0 ? <Table nodes={nodes} edges={edges} /> : null}
    </section>
  );
}
