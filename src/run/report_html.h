// A page about training runs, whole in itself: `clipnext report`.
#pragma once

#include <string>
#include <vector>

#include "run/curves.h"

namespace clipnext::run {

/// Curves of loss, learning rate, logit scale, throughput and every evaluation, the runs over one
/// another, then the options in which they differ. Nothing is fetched.
std::string report_html(const std::vector<RunCurves>& runs, const std::string& title);

/// The last values of a run's curves in a few lines, for the terminal.
std::string summary_text(const RunCurves& run);

}  // namespace clipnext::run
