#include "platform/lambda/git_clone.h"

#include <utility>

#include <git2.h>

#include "platform/base/beginning.h"
#include "platform/base/bytes.h"
#include "platform/base/c_handle.h"
#include "platform/base/json.h"
#include "platform/base/limits.h"
#include "platform/lambda/git_library.h"

namespace hearth::lambda {
namespace {

using Repository = base::CHandle<git_repository, git_repository_free>;

// What a server says may be in it; a status shows it.
constexpr std::size_t kMessageBytesMax = 2048;

struct CallbackState {
  const GitLocation* location;
  int attempts = 0;
};

std::string secret_value(const GitLocation& location, const char* name) {
  const auto it = location.secret.find(name);
  return it == location.secret.end() ? std::string() : it->second;
}

// The keys of the credentials' Secret, in this order.
int acquire_credentials(git_credential** out, const char*, const char* user, unsigned allowed,
                        void* payload) {
  auto& state = *static_cast<CallbackState*>(payload);
  // libgit2 asks again when a credential is refused.
  if (++state.attempts > 1) return GIT_EAUTH;
  const GitLocation& location = *state.location;
  const std::string key = secret_value(location, "ssh-privatekey");
  if (!key.empty() && (allowed & GIT_CREDENTIAL_SSH_MEMORY) != 0) {
    return git_credential_ssh_key_memory_new(out, user != nullptr ? user : "git", nullptr,
                                             key.c_str(), nullptr);
  }
  const std::string password = secret_value(location, "password");
  if (!password.empty()) {
    return git_credential_userpass_plaintext_new(out, secret_value(location, "username").c_str(),
                                                 password.c_str());
  }
  struct TokenKey {
    const char* name;
    const char* user;
  };
  for (const TokenKey& known :
       {TokenKey{"token", "git"}, TokenKey{"github-token", "x-access-token"},
        TokenKey{"gitlab-token", "oauth2"}}) {
    const std::string token = secret_value(location, known.name);
    if (!token.empty()) {
      return git_credential_userpass_plaintext_new(out, known.user, token.c_str());
    }
  }
  return GIT_EAUTH;
}

int limit_transfer(const git_indexer_progress* progress, void*) {
  return progress->received_bytes > limits::kContextBytesMax ? -1 : 0;
}

// Values in base64: a password may be of any bytes, JSON is not.
Result<GitLocation> parse_location(const Json& order) {
  GitLocation out;
  out.url = base::string_at(order, {"url"});
  if (const Json* secret = base::find(order, {"secret"}); secret != nullptr) {
    for (const auto& [name, value] : secret->items()) {
      if (!value.is_string()) continue;
      if (auto decoded = base::from_base64(value.get<std::string>())) {
        out.secret[name] = std::move(*decoded);
      }
    }
  }
  if (out.url.empty()) return fail(Code::kInvalid, "an order to clone names no repository");
  return out;
}

Status clone_as_ordered(std::string_view order_text) {
  HEARTH_TRY(order, base::parse_json(order_text));
  HEARTH_TRY(location, parse_location(order));
  return clone_git(location, base::string_at(order, {"folder"}));
}

}  // namespace

Status clone_git(const GitLocation& location, const std::filesystem::path& folder) {
  open_git_library();
  git_clone_options options = GIT_CLONE_OPTIONS_INIT;
  options.bare = 1;
  CallbackState state{&location};
  options.fetch_opts.callbacks.credentials = acquire_credentials;
  options.fetch_opts.callbacks.transfer_progress = limit_transfer;
  options.fetch_opts.callbacks.payload = &state;
  options.fetch_opts.proxy_opts.type = GIT_PROXY_AUTO;  // http_proxy and its like, http.proxy
  // A redirect to another host would leave what the URL policy looked at.
  options.fetch_opts.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
  git_repository* repository = nullptr;
  const int code = git_clone(&repository, location.url.c_str(), folder.c_str(), &options);
  if (code != 0) return fail(git_error(location, code));
  const Repository closed_at_end(repository);
  return {};
}

std::string clone_order(const GitLocation& location, const std::filesystem::path& folder) {
  Json secret = Json::object();
  for (const auto& [name, value] : location.secret) secret[name] = base::base64(value);
  return base::dump_json(
      {{"url", location.url}, {"folder", folder.string()}, {"secret", std::move(secret)}});
}

std::string carry_out_clone(std::string_view order) {
  const Status cloned = clone_as_ordered(order);
  if (cloned) return base::dump_json({{"ok", true}});
  const Error& error = cloned.error();
  return base::dump_json({{"ok", false},
                          {"code", std::to_underlying(error.code)},
                          {"message", base::beginning_of(error.message, kMessageBytesMax)}});
}

std::optional<Status> parse_clone_answer(std::string_view answer) {
  const auto parsed = base::parse_json(answer);
  if (!parsed) return std::nullopt;
  const auto ok = base::bool_at(*parsed, {"ok"});
  if (!ok) return std::nullopt;
  if (*ok) return Status();
  const auto code = base::int_at(*parsed, {"code"});
  if (!code || *code < 0 || *code > std::to_underlying(Code::kInternal)) return std::nullopt;
  return fail(static_cast<Code>(*code), base::string_at(*parsed, {"message"}));
}

}  // namespace hearth::lambda
