// hearth s3: the object store (or any other S3) from the command line, with awscli's habits.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/flag_values.h"
#include "cli/s3_copy.h"
#include "cli/s3_endpoint.h"
#include "cli/standard_output.h"
#include "platform/base/text.h"

namespace hearth::cli {
namespace {

struct S3Flags {
  S3EndpointFlags endpoint;
  std::string from;
  std::string to;
  S3CopyOptions copy;
  bool recursive = false;
  bool force = false;
  std::string expires = "1h";
  std::string method = "GET";
};

// "2026-11-21T03:04:05.000Z" as awscli prints it, in UTC.
std::string time_column(const std::string& rfc3339) {
  return rfc3339.size() < 19 ? std::string(19, ' ')
                             : rfc3339.substr(0, 10) + " " + rfc3339.substr(11, 8);
}

Status list_buckets(S3Client& client) {
  HEARTH_TRY(buckets, client.buckets());
  for (const s3::ListedBucket& bucket : buckets) {
    std::cout << fmt::format("{} {}\n", time_column(bucket.created), bucket.name);
  }
  return {};
}

Status list(const S3Flags& flags) {
  HEARTH_TRY(client, connect_s3(flags.endpoint));
  if (flags.from.empty()) return list_buckets(client);
  HEARTH_TRY(location, parse_s3_location(flags.from));
  // Names are shown below the folder that is listed, whole with --recursive.
  const auto folder = location.key.rfind('/');
  const std::size_t skip = flags.recursive || folder == location.key.npos ? 0 : folder + 1;
  bool any = false;
  const auto print = [&](const s3::ListPage& page) -> Status {
    for (const std::string& prefix : page.prefixes) {
      std::cout << for_standard_output(fmt::format("{:>30} {}\n", "PRE", prefix.substr(skip)));
    }
    for (const s3::ListedObject& object : page.objects) {
      std::cout << for_standard_output(fmt::format("{} {:>10} {}\n",
                                                   time_column(object.last_modified), object.size,
                                                   object.key.substr(skip)));
    }
    any = any || !page.prefixes.empty() || !page.objects.empty();
    return {};
  };
  HEARTH_CHECK_OK(client.list(location, flags.recursive ? "" : "/", print));
  if (any || location.key.empty()) return {};
  return fail(Code::kNotFound, fmt::format("{}: nothing begins with that", location.text()));
}

Status copy(const S3Flags& flags) {
  HEARTH_TRY(client, connect_s3(flags.endpoint));
  return flags.recursive ? copy_all(client, flags.from, flags.to, flags.copy)
                         : copy_one(client, flags.from, flags.to, flags.copy);
}

Status move(const S3Flags& flags) {
  S3Flags moving = flags;
  moving.copy.remove_source = true;
  return copy(moving);
}

Status sync(const S3Flags& flags) {
  HEARTH_TRY(client, connect_s3(flags.endpoint));
  return sync_all(client, flags.from, flags.to, flags.copy);
}

Status remove(const S3Flags& flags) {
  HEARTH_TRY(client, connect_s3(flags.endpoint));
  HEARTH_TRY(location, parse_s3_location(flags.from));
  if (flags.recursive) return remove_all(client, location, flags.copy);
  if (location.key.empty()) {
    return fail(Code::kBadRequest,
                fmt::format("{}: name an object, or say --recursive", location.text()));
  }
  // Deleting what is not there succeeds in S3; a person wants to know.
  HEARTH_CHECK_OK(client.head(location));
  HEARTH_CHECK_OK(client.remove(location));
  std::cerr << fmt::format("delete: {}\n", location.text());
  return {};
}

Status make_bucket(const S3Flags& flags) {
  HEARTH_TRY(client, connect_s3(flags.endpoint));
  HEARTH_TRY(location, parse_s3_location(flags.from));
  HEARTH_CHECK_OK(client.make_bucket(location.bucket));
  std::cerr << fmt::format("make_bucket: {}\n", location.bucket);
  return {};
}

Status remove_bucket(const S3Flags& flags) {
  HEARTH_TRY(client, connect_s3(flags.endpoint));
  HEARTH_TRY(location, parse_s3_location(flags.from));
  if (flags.force) HEARTH_CHECK_OK(remove_all(client, {location.bucket, ""}, flags.copy));
  const Status removed = client.remove_bucket(location.bucket);
  if (!removed && removed.error().code == Code::kConflict && !flags.force) {
    return fail(Code::kConflict, removed.error().message + "; --force empties it first");
  }
  HEARTH_CHECK_OK(removed);
  std::cerr << fmt::format("remove_bucket: {}\n", location.bucket);
  return {};
}

Status cat(const S3Flags& flags) {
  HEARTH_TRY(client, connect_s3(flags.endpoint));
  HEARTH_TRY(location, parse_s3_location(flags.from));
  return print_object(client, location);
}

Status presign(const S3Flags& flags) {
  HEARTH_TRY(endpoint, find_s3_endpoint(flags.endpoint));
  HEARTH_TRY(location, parse_s3_location(flags.from));
  HEARTH_TRY(expires, duration_flag(flags.expires, "--expires-in"));
  const S3Client client(std::move(endpoint));
  std::cout << client.presign(flags.method, location,
                              std::chrono::ceil<std::chrono::seconds>(expires))
            << "\n";
  return {};
}

using Action = Status (*)(const S3Flags&);
using Shape = void (*)(CLI::App& command, S3Flags& flags);

void takes_location(CLI::App& command, S3Flags& flags) {
  command.add_option("location", flags.from, "s3://BUCKET/KEY")
      ->required()
      ->check(check_s3_location)
      ->type_name("S3URI");
}

void takes_two(CLI::App& command, S3Flags& flags) {
  command.add_option("from", flags.from, "s3://BUCKET/KEY, a path, or - (standard input)")
      ->required()
      ->type_name("FROM");
  command.add_option("to", flags.to, "s3://BUCKET/KEY, a path, or - (standard output)")
      ->required()
      ->type_name("TO");
  command.add_option("--content-type", flags.copy.content_type,
                     "Media type of what is uploaded; else by its name");
  command.add_flag("--dry-run", flags.copy.dry_run, "Say what would be done");
  command.add_flag("-q,--quiet", flags.copy.quiet, "Say nothing but errors");
}

void shape_ls(CLI::App& command, S3Flags& flags) {
  command.add_option("location", flags.from, "s3://BUCKET[/PREFIX]; left out: the buckets")
      ->check(check_s3_location)
      ->type_name("S3URI");
  command.add_flag("-r,--recursive", flags.recursive, "What is below, too");
}

void shape_copy(CLI::App& command, S3Flags& flags) {
  takes_two(command, flags);
  command.add_flag("-r,--recursive", flags.recursive, "A folder or prefix with all below it");
}

void shape_rm(CLI::App& command, S3Flags& flags) {
  takes_location(command, flags);
  command.add_flag("-r,--recursive", flags.recursive, "All that begins with it");
  command.add_flag("--dry-run", flags.copy.dry_run, "Say what would be removed");
  command.add_flag("-q,--quiet", flags.copy.quiet, "Say nothing but errors");
}

void shape_rb(CLI::App& command, S3Flags& flags) {
  takes_location(command, flags);
  command.add_flag("--force", flags.force, "With all that is in it");
}

void shape_sync(CLI::App& command, S3Flags& flags) {
  takes_two(command, flags);
  command.add_flag("--delete", flags.copy.remove_extra, "Remove what the source does not have");
  command.add_flag("--size-only", flags.copy.size_only, "Times don't count");
}

void shape_presign(CLI::App& command, S3Flags& flags) {
  takes_location(command, flags);
  command.add_option("--expires-in", flags.expires, "How long it may be used")
      ->check(check_duration)
      ->type_name("DURATION")
      ->capture_default_str();
  command.add_option("-X,--method", flags.method, "GET, PUT, HEAD or DELETE")
      ->check(CLI::IsMember({"GET", "PUT", "HEAD", "DELETE"}))
      ->capture_default_str();
}

struct Entry {
  const char* name;
  const char* help;
  Shape shape;
  Action action;
  const char* example;
};

constexpr Entry kCommands[] = {
    {"ls", "List buckets, or what is in one", shape_ls, list,
     "hearth s3 ls\n  hearth s3 ls s3://photos/2026/\n  hearth s3 ls -r s3://photos"},
    {"cp", "Copy files and objects", shape_copy, copy,
     "hearth s3 cp cat.jpg s3://photos/cat.jpg\n  hearth s3 cp -r s3://photos/2026 ./2026\n"
     "  tar c src | hearth s3 cp - s3://sources/src.tar"},
    {"mv", "Copy, then remove the source", shape_copy, move,
     "hearth s3 mv s3://photos/cat.jpg s3://photos/old/cat.jpg"},
    {"rm", "Remove objects", shape_rm, remove,
     "hearth s3 rm s3://photos/cat.jpg\n  hearth s3 rm -r s3://photos/2026/"},
    {"mb", "Make a bucket", takes_location, make_bucket, "hearth s3 mb s3://photos"},
    {"rb", "Remove a bucket", shape_rb, remove_bucket, "hearth s3 rb --force s3://photos"},
    {"cat", "Print an object", takes_location, cat, "hearth s3 cat s3://logs/today.txt"},
    {"presign", "Print a URL that needs no credentials", shape_presign, presign,
     "curl \"$(hearth s3 presign s3://photos/cat.jpg --expires-in 10m)\""},
    {"sync", "Copy what differs", shape_sync, sync,
     "hearth s3 sync ./site s3://site --delete\n  hearth s3 sync s3://site ./backup"},
};

}  // namespace

void register_s3(CLI::App& app, int& exit_code) {
  CLI::App* s3 = app.add_subcommand("s3", "Buckets and objects of the object store");
  s3->require_subcommand(1);
  s3->footer(
      "Examples:\n"
      "  hearth s3 mb s3://photos\n"
      "  hearth s3 cp cat.jpg s3://photos/\n"
      "  hearth s3 ls s3://photos\n"
      "  hearth s3 sync ./site s3://site --delete");
  for (const Entry& entry : kCommands) {
    auto flags = std::make_shared<S3Flags>();
    CLI::App* command = s3->add_subcommand(entry.name, entry.help);
    entry.shape(*command, *flags);
    add_s3_endpoint_flags(*command, flags->endpoint);
    command->footer(std::string("Examples:\n  ") + entry.example);
    command->callback(
        [flags, action = entry.action, &exit_code] { exit_code = finish(action(*flags)); });
  }
}

}  // namespace hearth::cli
