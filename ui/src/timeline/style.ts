/** The look of <saga-timeline>. A page may set --saga-… on it or above it; by itself it follows the browser's theme. */
export const CSS = `
:host { display: block; container-type: inline-size; color: var(--saga-text, #1b2430); font: 13px/1.4 system-ui, sans-serif;
  --good: var(--saga-good, #1a7f4b); --busy: var(--saga-busy, #0b67b2); --warn: var(--saga-warn, #94610a);
  --bad: var(--saga-bad, #c02b2b); --dim: var(--saga-dim, #5b6675); --line: var(--saga-line, #c5ccd6);
  --paper: var(--saga-paper, #fff); }
@media (prefers-color-scheme: dark) { :host { color: var(--saga-text, #e4e9f0);
  --good: var(--saga-good, #4fc58a); --busy: var(--saga-busy, #63b3f5); --warn: var(--saga-warn, #e2b04a);
  --bad: var(--saga-bad, #ff8077); --dim: var(--saga-dim, #9aa6b5); --line: var(--saga-line, #3d4856);
  --paper: var(--saga-paper, #161b22); } }
svg { display: block; width: 100%; height: auto; overflow: visible; }
text { fill: currentColor; font-size: 13px; }
.small { font-size: 11.5px; fill: var(--dim); font-variant-numeric: tabular-nums; }
.name { font-weight: 600; } .name.idle { fill: var(--dim); font-weight: 500; }
.small.due { fill: var(--busy); } .small.bad { fill: var(--bad); }
.way { stroke: var(--line); stroke-width: 2; fill: none; } .arrow { fill: var(--line); }
.pivot { stroke: var(--dim); stroke-width: 1.5; stroke-dasharray: 3 4; }
.done { --ink: var(--good); } .now, .undoing { --ink: var(--busy); } .refused, .stuck { --ink: var(--bad); }
.unknown, .left-out { --ink: var(--warn); } .nothing, .not-yet { --ink: var(--dim); }
.mark circle.ring { fill: var(--paper); stroke: var(--ink); stroke-width: 2; }
.mark.stuck circle.ring, .mark.done circle.ring, .mark.refused circle.ring { fill: var(--ink); }
.mark path { fill: none; stroke: var(--ink); stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; }
.mark.done path, .mark.stuck path, .mark.refused path { stroke: var(--paper); }
.mark.now path, .mark.undoing path { fill: var(--ink); }
.mark.not-yet circle.ring { stroke-width: 1.5; stroke-dasharray: 2 3; }
.mark text { fill: var(--ink); font-weight: 700; text-anchor: middle; }
.dot circle.seen { fill: var(--ink); } .dot.whole circle.seen { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.hit { fill: transparent; }
[tabindex] { cursor: default; outline: none; } .focus { fill: none; stroke: none; }
[tabindex]:focus-visible .focus { stroke: var(--busy); stroke-width: 2; } [tabindex]:hover .focus { stroke: var(--dim); }
.pulse { fill: none; stroke: var(--ink); stroke-width: 2; opacity: .6; }
@media (prefers-reduced-motion: no-preference) { .pulse { animation: pulse 1.8s ease-out infinite; transform-box: fill-box;
  transform-origin: center; } @keyframes pulse { from { transform: scale(.8); opacity: .8 } to { transform: scale(1.5); opacity: 0 } } }
.detail { min-height: 1.4em; margin: 8px 0 0; color: var(--dim); overflow-wrap: anywhere; }
.detail b { color: currentColor; font-weight: 600; }
th { position: relative; }
table { border-collapse: collapse; width: 100%; margin-top: 8px; font-size: 12.5px; }
th, td { text-align: left; padding: 4px 16px 4px 0; border-top: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
td.why { white-space: normal; overflow-wrap: anywhere; width: 99%; }
thead th { border: 0; color: var(--dim); font-weight: 500; } tbody th { font-weight: 600; }
tr.try td, tr.try th { color: var(--dim); border: 0; padding-block: 1px; }
td.number { font-variant-numeric: tabular-nums; } tr td.what { color: var(--ink); }
:host([show=picture]) .table, :host([show=table]) .picture, :host([show=table]) .detail { display: none; }
:host(:not([show])) .table, .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.table { overflow-x: auto; }
@container (max-width: 560px) { table, tbody { display: block; } thead { position: absolute; clip-path: inset(50%); } .none { display: none; }
  tr { display: flex; flex-wrap: wrap; gap: 0 10px; padding: 4px 0; border-top: 1px solid var(--line); } tr.try { border: 0; padding: 0 0 2px 12px; }
  th, td { border: 0; padding: 0; } th { min-width: 0; } td.why { flex-basis: 100%; color: var(--dim); } tr.try td.why { flex: 1 0 auto; width: auto; } }
`;
