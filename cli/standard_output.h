// Standard output as the commands write it through std::cout: what can't be written is an error of
// the command, and a reader that has gone (`hearth get lf | head -1`) ends it quietly.
#pragma once

#include <array>
#include <streambuf>
#include <string>
#include <string_view>

namespace hearth::cli {

// Ignores SIGPIPE for the whole process: a server that closes its connection must not end it.
class StandardOutput final : public std::streambuf {
 public:
  StandardOutput();
  ~StandardOutput() override;
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

  // Writes what is left. When not all could be written: an error on standard error, and kFailed
  // instead of kOk.
  int finish(int exit_code);

 protected:
  int_type overflow(int_type byte) override;
  std::streamsize xsputn(const char* bytes, std::streamsize size) override;
  int sync() override;

 private:
  bool write(const char* bytes, std::size_t size);

  std::array<char, 16UL * 1024> buffer_;
  std::streambuf* before_;
  int error_ = 0;  // of the first write that failed
};

// Lines of others, such as functions: printable on a terminal, as they are for files and pipes.
std::string for_standard_output(std::string_view lines);

// For servers: from now on a reader that has gone ends nothing; what is written for it is dropped.
void outlive_reader();

// Ends the process as SIGPIPE does where it is not ignored.
[[noreturn]] void end_without_reader();

}  // namespace hearth::cli
