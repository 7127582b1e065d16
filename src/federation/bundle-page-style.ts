/** How a page looks: on light and dark screens, and printed without colours. System fonts, nothing from elsewhere. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--dim:#5b6675;--line:#d9dee5;--paper:#f5f7f9;--card:#fff;--good:#157347;--good-wash:#e6f4ec;--warn:#8a5a00;--warn-wash:#fff4da;--bad:#b3261e;--bad-wash:#fdeceb;--empty:#aeb7c2}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--dim:#9aa5b4;--line:#2e3743;--paper:#12161c;--card:#1a2028;--good:#5fd39a;--good-wash:#143224;--warn:#f0c05a;--warn-wash:#3a2e12;--bad:#ff8a80;--bad-wash:#41201e;--empty:#566170}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem 3rem}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .3rem;letter-spacing:-.01em}
h2{font-size:1.05rem;margin:0 0 .8rem}
p{margin:.4rem 0}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.92em;overflow-wrap:anywhere}
.dim{color:var(--dim)}
.marking{text-align:center;font-weight:700;letter-spacing:.06em;padding:.45rem 1rem;border:2px solid currentColor;margin:0 0 1.6rem;overflow-wrap:anywhere}
footer+.marking{margin:1.6rem 0 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.2rem 1.4rem;margin:1.2rem 0;break-inside:avoid}
.long{break-inside:auto}
.verdict{border-left:6px solid;padding:.9rem 1.2rem;border-radius:8px;margin:1.4rem 0 1.2rem}
.verdict strong{display:block;font-size:1.15rem}
.verdict p{color:var(--ink)}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.verdict.good{background:var(--good-wash)}.verdict.warn{background:var(--warn-wash)}.verdict.bad{background:var(--bad-wash)}
dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.35rem 1.4rem;margin:0}
dt{color:var(--dim)}dd{margin:0;min-width:0;overflow-wrap:anywhere}
.figures{display:flex;flex-wrap:wrap;gap:.6rem 2.4rem;margin:0 0 1rem}
.figures b{display:block;font-size:1.5rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
.map{display:flex;flex-wrap:wrap;gap:4px;margin:0 0 .9rem}
.map i{width:16px;height:16px;border-radius:3px;background:var(--good);border:2px solid var(--good)}
.map i.parity{background:transparent}
.map i.warn{background:var(--warn);border-color:var(--warn)}
.map i.bad{background:transparent;border:2px dashed var(--bad)}
.map i.hurt{background:var(--bad);border-color:var(--bad)}
.key{display:flex;flex-wrap:wrap;gap:.3rem 1.3rem;font-size:.88rem;color:var(--dim);margin:0 0 1rem}
.key .map{display:inline-flex;margin:0 .4rem 0 0;vertical-align:-3px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--dim);font-size:.88rem}
th,td{padding:.35rem 1rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right;white-space:nowrap}
tbody tr{break-inside:avoid}
thead{display:table-header-group}
ul{margin:.4rem 0;padding-left:1.2rem}
footer{color:var(--dim);font-size:.88rem;margin-top:1.6rem}
@media(max-width:40rem){dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .6rem}main{padding-top:1.4rem}}
@media print{:root{--ink:#000;--dim:#444;--line:#bbb;--paper:#fff;--card:#fff;--good:#000;--warn:#000;--bad:#000;--good-wash:#fff;--warn-wash:#fff;--bad-wash:#fff}body{font-size:11pt}main{max-width:none;padding:0}.card{border:0;border-top:1px solid #000;border-radius:0;padding:.8rem 0;margin:.8rem 0}.verdict{border:2px solid #000;border-left-width:6px;border-radius:0}.map i{print-color-adjust:exact;-webkit-print-color-adjust:exact}.map i.good{background:#777;border-color:#777}.map i.parity{background:transparent}.map i.warn{background:repeating-linear-gradient(45deg,#000 0 2px,#fff 2px 5px);border-color:#000}.map i.hurt{background:#000;border-color:#000}}
@page{margin:16mm}
`
