#include "cli/standard_output.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <iostream>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "cli/exit_code.h"
#include "platform/base/printable.h"

namespace hearth::cli {
namespace {

std::atomic<bool> outlives_reader = false;

}  // namespace

StandardOutput::StandardOutput() : before_(std::cout.rdbuf(this)) {
  // Who looks at a terminal sees each line when it is written.
  if (::isatty(STDOUT_FILENO) == 0) setp(buffer_.data(), buffer_.data() + buffer_.size());
  ::signal(SIGPIPE, SIG_IGN);
}

StandardOutput::~StandardOutput() { std::cout.rdbuf(before_); }

int StandardOutput::finish(int exit_code) {
  sync();
  if (error_ == 0) return exit_code;
  std::cerr << "error: standard output: " << std::strerror(error_) << "\n";
  return exit_code == kOk ? kFailed : exit_code;
}

StandardOutput::int_type StandardOutput::overflow(int_type byte) {
  if (sync() != 0) return traits_type::eof();
  if (traits_type::eq_int_type(byte, traits_type::eof())) return traits_type::not_eof(byte);
  const char one = traits_type::to_char_type(byte);
  if (pptr() == epptr()) return write(&one, 1) ? byte : traits_type::eof();
  return sputc(one);
}

std::streamsize StandardOutput::xsputn(const char* bytes, std::streamsize size) {
  if (epptr() - pptr() >= size) return std::streambuf::xsputn(bytes, size);
  return sync() == 0 && write(bytes, static_cast<std::size_t>(size)) ? size : 0;
}

int StandardOutput::sync() {
  const auto held = static_cast<std::size_t>(pptr() - pbase());
  setp(pbase(), epptr());
  return held == 0 || write(pbase(), held) ? 0 : -1;
}

bool StandardOutput::write(const char* bytes, std::size_t size) {
  while (size > 0 && error_ == 0) {
    const ssize_t put = ::write(STDOUT_FILENO, bytes, size);
    if (put >= 0) {
      bytes += put;
      size -= static_cast<std::size_t>(put);
    } else if (errno == EPIPE) {
      if (!outlives_reader) end_without_reader();
      return true;  // nobody is left to be told
    } else if (errno == EAGAIN) {
      // Whoever shares our terminal or pipe has made it non-blocking.
      pollfd entry{STDOUT_FILENO, POLLOUT, 0};
      (void)::poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  return size == 0;
}

std::string for_standard_output(std::string_view lines) {
  static const bool is_terminal = ::isatty(STDOUT_FILENO) != 0;
  return is_terminal ? base::printable_lines(lines) : std::string(lines);
}

void outlive_reader() { outlives_reader = true; }

void end_without_reader() {
  ::signal(SIGPIPE, SIG_DFL);
  (void)::raise(SIGPIPE);
  // It may be blocked.
  ::_exit(128 + SIGPIPE);
}

}  // namespace hearth::cli
