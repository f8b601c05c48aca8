// Ownership of what a C library hands out: CHandle<X509, X509_free> is a unique_ptr that frees it.
#pragma once

#include <memory>

namespace hearth::base {

template <auto Free>
struct CDeleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

template <typename T, auto Free>
using CHandle = std::unique_ptr<T, CDeleter<Free>>;

}  // namespace hearth::base
