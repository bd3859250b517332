// A page of HTML that needs nothing but itself.
#pragma once

#include <string>
#include <string_view>

namespace clipnext::page {

struct Document {
  std::string title;
  int width = 1080;             // of the content at most, CSS pixels
  std::string_view style = {};  // CSS beside what every page has
  std::string before = {};      // HTML before the heading
  std::string between = {};     // between the heading and the main part
  std::string main;
};

/// The whole file. It asks for nothing and runs no script, whatever the names in it hold; light and
/// dark. CSS variables: --ink, --page, --soft, --rule, --panel, --link, --bad, --good; classes:
/// .soft, .scroll (a box whose content may be wider), td.n and th.n (numbers).
std::string html(const Document& document);

/// HTML in a .scroll box that the keyboard reaches too; `label` is what it is called.
std::string scroll(std::string_view label, const std::string& html);

}  // namespace clipnext::page
