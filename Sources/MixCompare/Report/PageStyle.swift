/// The style sheet of the page.
enum PageStyle {
  static let css = """
    :root{--ink:#1c1e21;--soft:#5b6169;--line:#d9dce0;--paper:#fff;--card:#f5f6f8;--good:#11734a;--bad:#a8321a}
    @media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a3a9b1;--line:#3a3f46;--paper:#15171a;--card:#1e2125;\
    --good:#5bcb97;--bad:#f08a70}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
    main{max-width:1180px;margin:0 auto;padding:16px}
    h1{font-size:1.7em;line-height:1.2}h2{font-size:1.25em;margin:1.8em 0 .5em}
    .note,dd{color:var(--soft);font-size:.88em}
    table{border-collapse:collapse;width:100%;font-size:.85em;font-variant-numeric:tabular-nums}
    thead th{font-weight:600;color:var(--soft);vertical-align:bottom}
    th,td{padding:6px 6px;border-bottom:1px solid var(--line);text-align:right}
    td{white-space:nowrap}th:first-child{text-align:left}tbody th{font-weight:600}
    .findings{list-style:none;padding:0}.findings li{padding:3px 0}
    .findings span{display:inline-block;min-width:10.5em;font-weight:600;font-size:.85em;color:var(--soft)}
    .findings .agrees{color:var(--good)}.findings .differs{color:var(--bad)}
    .key{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.9em}
    .key svg{width:28px;height:10px;margin-right:6px}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:12px}
    .charts svg{width:100%;height:auto;background:var(--card);border-radius:8px}
    .cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,260px),1fr));gap:14px}
    figure{margin:0;background:var(--card);border-radius:8px;padding:8px}
    img{display:block;width:100%;height:auto;image-rendering:pixelated}
    figcaption{font-size:.9em;padding-top:6px}
    dt{font-weight:600}dd{margin:0 0 .6em;overflow-wrap:anywhere}
    @media(max-width:820px){
    thead{display:none}table,tbody,tr,th,td{display:block}
    tr{background:var(--card);border-radius:8px;padding:8px 12px;margin-bottom:10px}
    tbody th{border:0;padding:2px 0 4px}
    td{display:flex;justify-content:space-between;gap:12px;padding:2px 0;border:0}
    td::before{content:attr(data-name);color:var(--soft);text-align:left}
    .findings span{display:block}}

    """
}
