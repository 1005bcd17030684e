// What the views share.
import { useEffect, useRef, useState } from "preact/hooks";

import { get } from "./api.js";
import { shown } from "./text.js";

// The newest answer at `path`, asked for again every `ms` while the page is seen; and what went wrong.
export function usePolled(path, ms) {
  const [state, setState] = useState({ path, answer: null, error: "" });
  useEffect(() => {
    const ended = new AbortController();
    let timer = 0;
    const turn = async () => {
      if (!document.hidden) {
        try {
          const answer = await get(path, ended.signal);
          setState({ path, answer, error: "" });
        } catch (wrong) {
          if (ended.signal.aborted) return;
          setState((before) => ({ path, answer: before.path === path ? before.answer : null, error: wrong.message }));
        }
      }
      if (!ended.signal.aborted) timer = setTimeout(turn, ms);
    };
    turn();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [path, ms]);
  return state;
}

// The same text, once it has not changed for a moment.
export function useSettled(text) {
  const [settled, settle] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => settle(text), 200);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

export function Problems({ error, list = [] }) {
  const all = [...(error ? [error] : []), ...list];
  if (all.length === 0) return null;
  return (
    <ul class="problems" role="alert">
      {all.map((text) => (
        <li>⚠ {shown(text)}</li>
      ))}
    </ul>
  );
}

// Said in words and by a sign, not by colour alone.
export function Verdict({ verdict, reason }) {
  const passes = verdict === "allow" || verdict === "forward" || verdict === "pass";
  return (
    <span class={passes ? "verdict good" : "verdict bad"}>
      {passes ? "✓" : "✕"} {verdict}
      {reason ? <span class="reason"> {reason}</span> : null}
    </span>
  );
}

// "/" goes to the view's first field.
export function useSlash() {
  const field = useRef(null);
  useEffect(() => {
    const press = (event) => {
      if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  return field;
}
