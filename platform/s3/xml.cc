#include "platform/s3/xml.h"

#include <fmt/format.h>
#include <pugixml.hpp>

#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::s3 {
namespace {

constexpr std::size_t kDeleteKeysMax = 1000;
constexpr std::size_t kPartsMax = 10'000;

Error malformed() {
  return s3_error("MalformedXML",
                  "The XML you provided was not well-formed or did not validate against our "
                  "published schema");
}

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const auto colon = name.find(':');
  return colon == name.npos ? name : name.substr(colon + 1);
}

pugi::xml_node child(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& at : node.children()) {
    if (local_name(at) == name) return at;
  }
  return {};
}

// All of it: a comment or a CDATA section parts the text into several nodes.
std::string text_of(const pugi::xml_node& node) {
  std::string out;
  for (const pugi::xml_node& at : node.children()) {
    if (at.type() == pugi::node_pcdata || at.type() == pugi::node_cdata) out += at.value();
  }
  return out;
}

std::string text_of(const pugi::xml_node& node, std::string_view name) {
  return text_of(child(node, name));
}

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"')) {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

// "&#0;" and "&#xD800;" are no characters. The library would take them, and a NUL ends the text
// for it: a deletion would name another key.
bool has_impossible_character(std::string_view body) {
  if (body.contains('\0')) return true;
  for (auto at = body.find("&#"); at != body.npos; at = body.find("&#", at + 1)) {
    std::string_view digits = body.substr(at + 2);
    const bool hexadecimal = digits.starts_with('x');
    if (hexadecimal) digits.remove_prefix(1);
    const auto end =
        digits.find_first_not_of(hexadecimal ? "0123456789abcdefABCDEF" : "0123456789");
    if (end == 0 || end == digits.npos || digits[end] != ';') continue;  // plain text
    digits = digits.substr(0, end);
    const auto code = base::parse_int<std::uint32_t>(digits, hexadecimal ? 16 : 10);
    if (!code || *code == 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
      return true;
  }
  return false;
}

Result<pugi::xml_node> parse_root(pugi::xml_document& document, std::string_view body,
                                  std::string_view root) {
  if (has_impossible_character(body)) return fail(malformed());
  // White space is kept: a key may consist of it.
  const auto parsed =
      document.load_buffer(body.data(), body.size(),
                           pugi::parse_default | pugi::parse_ws_pcdata_single, pugi::encoding_utf8);
  const pugi::xml_node node = document.document_element();
  if (!parsed || local_name(node) != root) return fail(malformed());
  return node;
}

}  // namespace

std::string xml_escape(std::string_view text) {
  if (!base::is_valid_utf8(text)) return xml_escape(base::to_valid_utf8(text));
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\t':
      case '\n':
      case '\r':
        out += fmt::format("&#{};", static_cast<int>(c));
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += "\xEF\xBF\xBD";
        else
          out.push_back(c);
    }
  }
  return out;
}

XmlWriter::XmlWriter(std::string_view root, bool with_namespace) {
  out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
  out_.append(root);
  if (with_namespace) out_.append(" xmlns=\"").append(kXmlNamespace).append("\"");
  out_.append(">");
  open_.emplace_back(root);
}

XmlWriter& XmlWriter::open(std::string_view name) {
  out_.append("<").append(name).append(">");
  open_.emplace_back(name);
  return *this;
}

XmlWriter& XmlWriter::close() {
  out_.append("</").append(open_.back()).append(">");
  open_.pop_back();
  return *this;
}

XmlWriter& XmlWriter::element(std::string_view name, std::string_view text) {
  out_.append("<").append(name).append(">").append(xml_escape(text));
  out_.append("</").append(name).append(">");
  return *this;
}

XmlWriter& XmlWriter::element(std::string_view name, std::int64_t number) {
  return element(name, std::string_view(fmt::format_int(number).c_str()));
}

XmlWriter& XmlWriter::flag(std::string_view name, bool value) {
  return element(name, std::string_view(value ? "true" : "false"));
}

XmlWriter& XmlWriter::raw(std::string_view markup) {
  out_.append(markup);
  return *this;
}

std::string XmlWriter::finish() {
  while (!open_.empty()) close();
  return std::move(out_);
}

Result<DeleteRequest> parse_delete(std::string_view body) {
  pugi::xml_document document;
  HEARTH_TRY(root, parse_root(document, body, "Delete"));
  DeleteRequest out;
  for (const pugi::xml_node& node : root.children()) {
    if (local_name(node) == "Quiet") {
      out.quiet = base::equal_ignoring_case(base::trim(text_of(node)), "true");
    }
    if (local_name(node) != "Object") continue;
    DeleteEntry entry{.key = text_of(node, "Key"),
                      .version_id = text_of(node, "VersionId"),
                      .etag = unquoted(text_of(node, "ETag"))};
    if (entry.key.empty()) return fail(malformed());
    out.entries.push_back(std::move(entry));
  }
  if (out.entries.empty() || out.entries.size() > kDeleteKeysMax) return fail(malformed());
  return out;
}

Result<std::vector<CompletedPart>> parse_complete_upload(std::string_view body) {
  pugi::xml_document document;
  HEARTH_TRY(root, parse_root(document, body, "CompleteMultipartUpload"));
  std::vector<CompletedPart> out;
  for (const pugi::xml_node& node : root.children()) {
    if (local_name(node) != "Part") continue;
    const auto number = base::parse_int<int>(base::trim(text_of(node, "PartNumber")));
    CompletedPart part{.number = number.value_or(0),
                       .etag = unquoted(base::trim(text_of(node, "ETag"))),
                       .checksum = {}};
    if (!number || part.etag.empty()) return fail(malformed());
    for (const pugi::xml_node& field : node.children()) {
      if (local_name(field).starts_with("Checksum")) part.checksum = text_of(field);
    }
    out.push_back(std::move(part));
  }
  if (out.empty() || out.size() > kPartsMax) return fail(malformed());
  return out;
}

Result<std::string> parse_location_constraint(std::string_view body) {
  if (base::trim(body).empty()) return std::string();
  pugi::xml_document document;
  HEARTH_TRY(root, parse_root(document, body, "CreateBucketConfiguration"));
  return std::string(base::trim(text_of(root, "LocationConstraint")));
}

Result<Tags> parse_tagging(std::string_view body) {
  pugi::xml_document document;
  HEARTH_TRY(root, parse_root(document, body, "Tagging"));
  const pugi::xml_node set = child(root, "TagSet");
  if (!set) return fail(malformed());
  Tags out;
  for (const pugi::xml_node& node : set.children()) {
    if (local_name(node) != "Tag") continue;
    out.emplace_back(text_of(node, "Key"), text_of(node, "Value"));
  }
  return out;
}

Result<ListPage> parse_list_page(std::string_view body) {
  pugi::xml_document document;
  HEARTH_TRY(root, parse_root(document, body, "ListBucketResult"));
  ListPage out;
  for (const pugi::xml_node& node : root.children()) {
    if (local_name(node) == "CommonPrefixes") out.prefixes.emplace_back(text_of(node, "Prefix"));
    if (local_name(node) != "Contents") continue;
    out.objects.push_back(
        {.key = text_of(node, "Key"),
         .etag = unquoted(text_of(node, "ETag")),
         .size = base::parse_int<std::uint64_t>(text_of(node, "Size")).value_or(0),
         .last_modified = text_of(node, "LastModified")});
  }
  if (text_of(root, "IsTruncated") == "true") {
    out.next_token = text_of(root, "NextContinuationToken");
  }
  return out;
}

Result<std::vector<ListedBucket>> parse_bucket_list(std::string_view body) {
  pugi::xml_document document;
  HEARTH_TRY(root, parse_root(document, body, "ListAllMyBucketsResult"));
  std::vector<ListedBucket> out;
  for (const pugi::xml_node& node : child(root, "Buckets").children()) {
    out.push_back({text_of(node, "Name"), text_of(node, "CreationDate")});
  }
  return out;
}

Result<std::string> parse_upload_id(std::string_view body) {
  pugi::xml_document document;
  HEARTH_TRY(root, parse_root(document, body, "InitiateMultipartUploadResult"));
  std::string id = text_of(root, "UploadId");
  if (id.empty()) return fail(malformed());
  return id;
}

std::optional<Error> parse_error_document(std::string_view body) {
  pugi::xml_document document;
  const auto root = parse_root(document, body, "Error");
  if (!root) return std::nullopt;
  std::string message = text_of(*root, "Message");
  if (message.empty()) message = "the server gave no reason";
  return s3_error(text_of(*root, "Code"), std::move(message));
}

}  // namespace hearth::s3
