// Pictures in a terminal: half blocks in 24-bit colour, two pixels to a character cell.
#pragma once

#include <string>
#include <vector>

#include "image/image.h"

namespace clipnext::cli {

/// Whether standard output is a terminal that says it shows 24-bit colour (COLORTERM), and the user
/// has not asked for none (NO_COLOR).
bool terminal_shows_pictures();

/// The picture fitted into `columns` x `rows` character cells (a cell is twice as high as wide),
/// one string for each row, each `columns` cells wide and ending in the terminal's default colours.
std::vector<std::string> thumbnail(const image::Image& picture, int columns, int rows);

/// A thumbnail with lines of text to the right of it; either may be longer.
std::string beside(const std::vector<std::string>& picture, int columns,
                   const std::vector<std::string>& text);

}  // namespace clipnext::cli
