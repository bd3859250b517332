// libcurl, loaded when the first URL comes: linked, it and what it brings would double the time
// that the program takes to start.
#pragma once

#include <curl/curl.h>

namespace clipnext::net {

/// What is used of libcurl's C interface.
struct Curl {
  decltype(&curl_global_init) global_init = nullptr;
  decltype(&curl_easy_init) easy_init = nullptr;
  decltype(&curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&curl_easy_setopt) easy_setopt = nullptr;
  decltype(&curl_easy_perform) easy_perform = nullptr;
  decltype(&curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&curl_easy_strerror) easy_strerror = nullptr;
  decltype(&curl_slist_append) slist_append = nullptr;
  decltype(&curl_slist_free_all) slist_free_all = nullptr;
};

/// Throws Error that says what to install where there is none. Any thread may call it.
const Curl& curl();

}  // namespace clipnext::net
