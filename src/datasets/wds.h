// CLIP_benchmark's webdataset folders (clip_benchmark 1.6.2, build_wds_dataset): tars of samples,
// and text files beside them that say what they are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace clipnext::datasets {

/// The names of a set's files, from its root on.
inline constexpr const char* kTypeFile = "dataset_type.txt";
inline constexpr const char* kClassesFile = "classnames.txt";
inline constexpr const char* kTemplatesFile = "zeroshot_classification_templates.txt";
inline constexpr const char* kCountFile = "nshards.txt";  // in the split's folder

/// Reads a split of request.root, a folder or URL: <split>/nshards.txt, that many <split>/N.tar,
/// dataset_type.txt (`retrieval` or `multilabel`; absent: classification), classnames.txt and
/// zeroshot_classification_templates.txt, which retrieval does not need, nor a set whose class
/// names or templates come from the request's own files. Pictures of a plain tar stay in it; those
/// of a compressed one are held. Throws Error that names the file, and the sample in it, that is
/// missing or wrong.
Dataset read_wds(const Request& request);

/// The `test` split of a folder.
Dataset read_wds_folder(const std::filesystem::path& folder);

/// One class a line, the line's number its label, white space around it dropped. An empty line in
/// between is a class without a name; empty ones at the end are not. Throws Error that begins with
/// `where` if there is none.
std::vector<std::string> parse_class_names(std::string_view text, const std::string& where);

/// One template a line, trimmed; empty lines are left out. Throws Error as above.
std::vector<std::string> parse_templates(std::string_view text, const std::string& where);

}  // namespace clipnext::datasets
