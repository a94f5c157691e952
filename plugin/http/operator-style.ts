/** The looks of the operator's page, light and dark, from a phone to a wide screen. */
export const STYLE = `:root{color-scheme:light dark;
--back:#f6f7f9;--card:#fff;--line:#e1e4ea;--text:#1b2130;--soft:#566074;--link:#1d4fc4;--focus:#1d4fc4;
--bar:#e4e8f0;--run:#2a5bd7;--run-b:#e6edfd;--run-t:#1c44a8;--ok-b:#e0f3e7;--ok-t:#14602f;--bad-b:#fde8e6;--bad-t:#a1211a;
--wait-b:#fbf0d5;--wait-t:#714a02;--off-b:#eaecf0;--off-t:#4b5466;--danger:#b3261e}
@media (prefers-color-scheme:dark){:root{
--back:#12151b;--card:#1a1f28;--line:#2d3442;--text:#e8ebf1;--soft:#a3adbf;--link:#93b4ff;--focus:#93b4ff;
--bar:#2c3443;--run:#6d96ff;--run-b:#1e2c52;--run-t:#b3c9ff;--ok-b:#163524;--ok-t:#8fdcab;--bad-b:#43201f;--bad-t:#ffb3ac;
--wait-b:#3c3014;--wait-t:#f2cf83;--off-b:#2b313d;--off-t:#c0c8d6;--danger:#ff9d95}}
*{box-sizing:border-box}
[hidden]{display:none!important}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
a{color:var(--link);text-underline-offset:2px}
a:hover{text-decoration-thickness:2px}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px;border-radius:4px}
main:focus{outline:none}
header,main{max-width:78rem;margin:0 auto;padding:0 1.5rem}
header{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:center;gap:.25rem 1.5rem;padding-top:1rem;padding-bottom:1rem}
.brand{font-weight:650;color:inherit;text-decoration:none;letter-spacing:-.01em}
.tools{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem 1rem;font-size:.875rem;color:var(--soft)}
main{padding-bottom:4rem}
h1{font-size:1.5rem;line-height:1.25;letter-spacing:-.015em;margin:.5rem 0 .25rem;font-weight:650;overflow-wrap:anywhere}
h2{font-size:1.0625rem;margin:2rem 0 .6rem;font-weight:650}
p{margin:.25rem 0}
.soft,.small{color:var(--soft)}
.small{font-size:.8125rem}
.num{font-variant-numeric:tabular-nums}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.92em}
bdi,.break{overflow-wrap:anywhere}
.nowrap{white-space:nowrap}
.skip{position:absolute;left:-999rem}
.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.4rem .8rem;z-index:1}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.375rem;margin:1rem 0;padding:0}
nav.states a{display:inline-block;padding:.25rem .75rem;border:1px solid var(--line);border-radius:999px;background:var(--card);color:var(--text);text-decoration:none;font-size:.875rem}
nav.states a:hover{border-color:var(--soft)}
nav.states a[aria-current]{background:var(--text);border-color:var(--text);color:var(--back);font-weight:600}
nav.states .num{opacity:.85;margin-left:.3em}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px}
table{width:100%;border-collapse:collapse}
caption{text-align:left;padding:.55rem 1rem;color:var(--soft);font-size:.8125rem;border-bottom:1px solid var(--line)}
th,td{text-align:left;vertical-align:top;padding:.75rem 1rem}
thead th{font-size:.75rem;font-weight:600;color:var(--soft);padding-top:.55rem;padding-bottom:.55rem;white-space:nowrap;border-bottom:1px solid var(--line)}
tbody th{font-weight:inherit}
tbody tr+tr>*{border-top:1px solid var(--line)}
.right{text-align:right}
time{white-space:nowrap}
.dense th,.dense td{padding-top:.4rem;padding-bottom:.4rem}
#stale:empty{display:none}
#stale{color:var(--bad-t)}
.list tbody th,.list td:nth-last-child(2){white-space:nowrap}
td:last-child.right{white-space:nowrap}
.list td.progress{width:29%}
.state{display:inline-flex;align-items:center;gap:.4em;padding:.06rem .55rem;border-radius:999px;font-size:.8125rem;font-weight:600;white-space:nowrap;background:var(--off-b);color:var(--off-t)}
.state::before{content:"\\2013"/"";font-weight:700}
.state.running,.state.live{background:var(--run-b);color:var(--run-t)}.state.running::before,.state.live::before{content:"\\25B6"/"";font-size:.7em}
.state.completed,.state.done{background:var(--ok-b);color:var(--ok-t)}.state.completed::before,.state.done::before{content:"\\2713"/""}
.state.failed{background:var(--bad-b);color:var(--bad-t)}.state.failed::before{content:"\\2715"/""}
.state.accepted,.state.waiting{background:var(--wait-b);color:var(--wait-t)}.state.accepted::before,.state.waiting::before{content:"\\2026"/""}
.bad{color:var(--bad-t)}
progress{appearance:none;-webkit-appearance:none;display:block;width:100%;height:8px;border:0;border-radius:99px;overflow:hidden;background:var(--bar);margin:.4rem 0 .45rem}
progress::-webkit-progress-bar{background:var(--bar);border-radius:99px}
progress::-webkit-progress-value{background:var(--run);border-radius:99px;transition:inline-size .4s}
progress::-moz-progress-bar{background:var(--run);border-radius:99px}
.types{list-style:none;margin:.35rem 0 0;padding:0;font-size:.8125rem;color:var(--soft)}
.types li{display:flex;justify-content:space-between;gap:1rem}
.button,button{font:inherit;font-size:.875rem;display:inline-block;padding:.3rem .8rem;border:1px solid var(--line);border-radius:7px;background:var(--card);color:var(--text);text-decoration:none;cursor:pointer}
.button:hover,button:hover{border-color:var(--soft)}
.button.danger,button.danger{color:var(--danger)}
button.sure{background:#b3261e;border-color:#b3261e;color:#fff;font-weight:600}
button.sure:hover{background:#8f1d17}
button.quiet{padding:.1rem .6rem;color:var(--soft);background:none}
.notice{padding:.75rem 1rem;margin:1rem 0;border-left:4px solid var(--run);border-radius:4px 8px 8px 4px;background:var(--card)}
.notice.bad{border-left-color:var(--danger);color:var(--text)}
.notice.warn{border-left-color:#b98400}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem 1.5rem;padding:1.1rem 1.25rem;margin:0}
.facts dt{font-size:.75rem;font-weight:600;color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
.facts .wide{grid-column:1/-1}
.title{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;margin-bottom:1rem}.title p{flex:1}.title h1{margin:.25rem 0}
.actions{display:flex;flex-wrap:wrap;align-items:center;gap:.75rem;margin-top:1.25rem}
.narrow{max-width:40rem}
.empty{padding:2.5rem 1rem;text-align:center;color:var(--soft)}
@media (max-width:52rem){
header,main{padding-left:1rem;padding-right:1rem}
table,tbody,tr,th,td,caption{display:block}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.facts{grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr))}
.facts>div{min-width:0}
time{white-space:normal}
th,td{padding:.2rem 1rem}
tbody tr{padding:.7rem 0}
tbody tr+tr>*{border-top:0}
tbody tr+tr{border-top:1px solid var(--line)}
.list td.progress{width:auto}
.right{text-align:left}
td[data-label]:not(.plain){display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:.5rem}
td[data-label]:not(.plain)::before{content:attr(data-label)/"";color:var(--soft);font-size:.8125rem}
td:empty{display:none!important}
}
@media (prefers-reduced-motion:reduce){progress::-webkit-progress-value{transition:none}}
@media (forced-colors:active){.state,progress{border:1px solid}}`
