#include "net/curl.h"

#include <dlfcn.h>

#include <cstring>

#include "base/error.h"

namespace clipnext::net {
namespace {

Curl load() {
  void* library = nullptr;  // kept until the process ends
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"}) {
    if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  require(library != nullptr,
          "reading from a URL needs libcurl.so.4, which is not installed (Debian: libcurl4)");
  Curl curl;
  const auto find = [&](auto& function, const char* name) {
    void* symbol = dlsym(library, name);
    require(symbol != nullptr, "libcurl.so.4 has no ", name, ": it is too old");
    std::memcpy(&function, &symbol, sizeof(function));
  };
  find(curl.global_init, "curl_global_init");
  find(curl.easy_init, "curl_easy_init");
  find(curl.easy_cleanup, "curl_easy_cleanup");
  find(curl.easy_setopt, "curl_easy_setopt");
  find(curl.easy_perform, "curl_easy_perform");
  find(curl.easy_getinfo, "curl_easy_getinfo");
  find(curl.easy_strerror, "curl_easy_strerror");
  find(curl.slist_append, "curl_slist_append");
  find(curl.slist_free_all, "curl_slist_free_all");
  require(curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl cannot start");
  return curl;
}

}  // namespace

const Curl& curl() {
  static const Curl loaded = load();
  return loaded;
}

}  // namespace clipnext::net
