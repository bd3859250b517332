#include "page/document.h"

#include "page/markup.h"

namespace clipnext::page {
namespace {

// Nothing may be fetched, whatever a name holds: the policy says so to the browser.
constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<style>
:root{--ink:#1b1f24;--page:#fff;--soft:#5b6470;--rule:#d8dde3;--panel:#f5f7f9;--link:#0b6bcb;--bad:#b42318;--good:#1a7f37}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--page:#15181c;--soft:#9aa4b0;--rule:#333a42;--panel:#1d2228;--link:#6cb6ff;--bad:#ff8a80;--good:#6fdd8b}}
*{box-sizing:border-box}
.scroll:focus-visible{outline:3px solid var(--link);outline-offset:2px}
body{margin:0 auto;padding:1rem;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.25rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--rule)}
.scroll{overflow:auto;border:1px solid var(--rule);border-radius:6px}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;text-align:left;border-bottom:1px solid var(--rule);overflow-wrap:anywhere}
th{background:var(--panel)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
)";

}  // namespace

std::string html(const Document& document) {
  return std::string(kHead) + "body{max-width:" + std::to_string(document.width) + "px}\n" +
         std::string(document.style) + "</style>\n<title>" + escape(document.title) +
         "</title>\n</head>\n<body>\n" + document.before + "<header><h1>" +
         escape_name(document.title) + "</h1></header>\n" + document.between +
         "<main id=\"main\">\n" + document.main + "</main>\n</body>\n</html>\n";
}

std::string scroll(std::string_view label, const std::string& html) {
  return "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + escape(label) +
         "\">\n" + html + "</div>\n";
}

}  // namespace clipnext::page
