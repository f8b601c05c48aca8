// Reads a function's source from wherever its spec says, with the Secret that the spec names.
// On the store's loop; what is reached over a network goes through SourceAccess.
#pragma once

#include <map>
#include <string>

#include "platform/lambda/function.h"
#include "platform/lambda/language.h"
#include "platform/lambda/source.h"
#include "platform/resource/store.h"

namespace hearth::lambda {

class SourceReader {
 public:
  // References outlive it.
  SourceReader(resource::Store& store, const Languages& languages, SourceAccess access,
               std::string gcs_endpoint);

  // kUnsupported for sources that can't be fetched here. A key that names one object without an
  // extension means the handler's file: its file has the main file's name.
  Task<Result<SourceTree>> read(std::string ns, FunctionSpec spec);
  // Another text when an object of the source is another, without reading them. Empty when it
  // can't be told: other types of source, foreign stores, objects that aren't there.
  Task<std::string> version(std::string ns, FunctionSpec spec);

 private:
  Task<Result<ObjectLocation>> locate(std::string ns, Source source);
  Task<Result<std::map<std::string, std::string>>> read_secret(std::string ns, std::string name);

  resource::Store& store_;
  const Languages& languages_;
  SourceAccess access_;
  std::string gcs_endpoint_;
};

}  // namespace hearth::lambda
