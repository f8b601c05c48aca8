// For tests: runs a program to its end and keeps what it wrote to both of its outputs. It gets the
// request's descriptors besides.
#pragma once

#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "platform/process/spawn.h"

namespace hearth::process {

struct Outcome {
  std::string output;
  int code = -1;
};

inline Outcome run(SpawnRequest request) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  base::UniqueFd read_end(fds[0]);
  base::UniqueFd write_end(fds[1]);
  request.fds.emplace_back(write_end.get(), 1);
  request.fds.emplace_back(write_end.get(), 2);
  auto child = spawn(request);
  write_end.reset();
  EXPECT_TRUE(child) << child.error().message;
  if (!child) return {};
  Outcome outcome;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::read(read_end.get(), buffer, sizeof buffer)) > 0) {
    outcome.output.append(buffer, static_cast<std::size_t>(got));
  }
  outcome.code = reap(*child);
  return outcome;
}

}  // namespace hearth::process
