#include "page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "kit/kit.h"

namespace boredbot {

using holdall::kit::escape_html;

namespace {

// {0} is the colour; it reaches the style sheet, so only what colour() lets through may stand there.
constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="10">
<title>BoredBot</title>
<style>
  :root {{ --mood: {0}; color-scheme: light dark; }}
  * {{ box-sizing: border-box; }}
  body {{ margin: 0 auto; max-width: 40rem; padding: 3rem 1.25rem; font: 1.0625rem/1.6 system-ui, sans-serif;
         background: light-dark(#fbfaf8, #16171a); color: light-dark(#22252a, #e6e4df); }}
  h1 {{ margin: 0; font-size: 1rem; letter-spacing: .08em; text-transform: uppercase; opacity: .6; }}
  .mood {{ margin: 1rem 0 2.5rem; padding: 1.5rem 1.75rem; border-radius: .75rem; border-left: .75rem solid var(--mood);
          background: light-dark(#fff, #1f2125); box-shadow: 0 1px 3px rgb(0 0 0 / .12); }}
  .mood strong {{ display: block; font-size: 2.25rem; line-height: 1.2; overflow-wrap: anywhere; }}
  h2 {{ font-size: 1.125rem; margin: 0 0 .5rem; }}
  ul {{ list-style: none; margin: 0; padding: 0; }}
  li {{ display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; padding: .5rem 0;
       border-top: 1px solid light-dark(#e5e2dc, #33363c); overflow-wrap: anywhere; }}
  time {{ opacity: .6; font-variant-numeric: tabular-nums; }}
  .fault {{ padding: .75rem 1rem; border-radius: .5rem; background: light-dark(#fdf1dc, #3a2f1a); overflow-wrap: anywhere; }}
  footer {{ margin-top: 2.5rem; font-size: .875rem; opacity: .6; }}
</style>
</head>
<body>
<h1>BoredBot</h1>
)";

std::string colour(const std::string& wanted) {
  auto all = [&](std::string_view text, auto is) { return std::ranges::all_of(text, is); };
  auto letter = [](unsigned char c) { return std::isalpha(c) != 0; };
  auto digit = [](unsigned char c) { return std::isxdigit(c) != 0; };
  const bool named = !wanted.empty() && wanted.size() <= 24 && all(wanted, letter);
  const bool hex = wanted.starts_with('#') && wanted.size() >= 4 && wanted.size() <= 9 &&
                   all(std::string_view(wanted).substr(1), digit);
  return named || hex ? wanted : "grey";
}

/// Why is for the log and the heartbeat, not for everybody.
std::string fault(std::string_view what, const Said& said) {
  if (said.fault.empty()) return "";
  const char* meanwhile = said.rows.empty() ? "" : " This is what was there before.";
  return fmt::format("<p class=\"fault\">{} cannot be read just now.{}</p>\n", what, meanwhile);
}

std::string text_of(const Row& row) { return row.text.empty() ? "<em>nothing</em>" : escape_html(row.text); }

std::string time_of(const Row& row) {
  const std::string at = escape_html(row.updated_at);
  return fmt::format("<time datetime=\"{0}\">({0})</time>", at);
}

/// One row is the rule; none and several are said, and the newest counts.
std::string mood(const Said& moods) {
  std::string out = "<section class=\"mood\">\n";
  if (moods.rows.empty()) {
    out += moods.fault.empty() ? "<strong>no mood</strong>\nNobody has said yet how BoredBot feels.\n"
                               : "<strong>mood unknown</strong>\n";
  } else {
    const Row& newest = moods.rows.front();
    out += fmt::format("BoredBot feels <strong>{}</strong>\n{}\n", text_of(newest), time_of(newest));
    if (moods.rows.size() > 1)
      out += "<p class=\"fault\">More than one mood is current; this is the newest.</p>\n";
  }
  return out + fault("The mood", moods) + "</section>\n";
}

std::string lines(const Said& said) {
  std::string out = "<section>\n<h2>What it has said</h2>\n" + fault("The lines", said);
  if (said.rows.empty()) return out + (said.fault.empty() ? "<p>Nothing yet.</p>\n" : "") + "</section>\n";
  out += "<ul>\n";
  for (const Row& row : said.rows) out += fmt::format("<li>{} {}</li>\n", text_of(row), time_of(row));
  return out + "</ul>\n</section>\n";
}

}  // namespace

std::string page(const Board& board, const Look& look) {
  std::string out = fmt::format(kHead, colour(look.colour)) + mood(board.moods) + lines(board.lines);
  if (!look.instance.empty()) {
    out += fmt::format("<footer>{} of {}</footer>\n", escape_html(look.instance), escape_html(look.release));
  }
  return out + "</body>\n</html>\n";
}

}  // namespace boredbot
