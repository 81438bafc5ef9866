#include "mail/message/reencode.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "mail/text/parameter.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::mail {

namespace {

constexpr std::size_t kLineMax = 76;  // RFC 2045 6.7 (5), 6.8

bool is_identity(TransferEncoding encoding) {
    return encoding == TransferEncoding::SevenBit || encoding == TransferEncoding::EightBit ||
           encoding == TransferEncoding::Binary;
}

bool is_plain(char c) {
    // RFC 2045 6.7 (2).
    return c >= 33 && c <= 126 && c != '=';
}

/// "Content-Type: text/plain; format=flowed" with a charset behind it.
std::string with_charset(std::string_view field, std::string_view charset) {
    std::string out(field);
    while (!out.empty() &&
           (is_wsp(out.back()) || out.back() == '\r' || out.back() == '\n' || out.back() == ';')) {
        out.pop_back();
    }
    return out.append(";\r\n\tcharset=").append(charset).append("\r\n");
}

bool names_charset(std::string_view content_type) {
    return std::ranges::any_of(
        parse_parameterized(content_type).parameters,
        [](const Parameter& parameter) { return parameter.name.starts_with("charset"); });
}

std::string rewrite_header(std::string_view block, const ReencodeEdit& edit) {
    const HeaderIndex index = split_header(block);
    std::string out;
    bool has_type = false;
    bool has_version = false;
    for (const HeaderField& field : index.fields) {
        const std::string_view name = field.name(block);
        if (equals_ignore_case(name, "Content-Transfer-Encoding")) {
            continue;
        }
        const bool is_type = equals_ignore_case(name, "Content-Type");
        has_version = has_version || equals_ignore_case(name, "MIME-Version");
        if (is_type && !has_type && !edit.charset.empty() && !names_charset(field.body(block))) {
            out += with_charset(field.raw(block), edit.charset);
        } else {
            out += field.raw(block);
        }
        has_type = has_type || is_type;
    }
    if (!out.empty() && !out.ends_with('\n')) {
        out += "\r\n";
    }
    if (edit.is_root && !has_version) {
        out += "MIME-Version: 1.0\r\n";
    }
    if (!has_type && !edit.charset.empty()) {
        out.append("Content-Type: text/plain; charset=").append(edit.charset).append("\r\n");
    }
    out.append("Content-Transfer-Encoding: ").append(edit.encoding).append("\r\n");
    return out.append("\r\n");
}

}  // namespace

bool is_signed(const ParsedMessage& message) {
    for (const std::string_view name : {"DKIM-Signature", "ARC-Seal", "ARC-Message-Signature"}) {
        if (message.index.find(message.header, name) != nullptr) {
            return true;
        }
    }
    return std::ranges::any_of(message.parts, [](const Part& part) {
        return part.is("multipart", "signed") || part.is("application", "pkcs7-mime");
    });
}

ReencodeSurvey::ReencodeSurvey(const ParsedMessage* message) : message_(message) {
    for (std::uint32_t i = 0; i < message->parts.size(); ++i) {
        if (message->parts[i].kind == Part::Kind::Leaf) {
            leaves_.push_back(i);
        }
    }
    facts_.resize(leaves_.size());
}

void ReencodeSurvey::look(Facts& facts, std::string_view bytes) {
    facts.octets += bytes.size();
    for (const char c : bytes) {
        const auto octet = static_cast<unsigned char>(c);
        if (facts.cr_pending) {
            facts.cr_pending = false;
            if (c == '\n') {
                facts.line = 0;
                continue;
            }
            facts.is_binary = true;
        }
        if (c == '\r') {
            facts.cr_pending = true;
            continue;
        }
        facts.is_binary = facts.is_binary || c == '\n' || c == '\0';
        facts.line_max = std::max(facts.line_max, ++facts.line);
        facts.escaped += is_plain(c) || is_wsp(c) ? 0 : 1;
        if (facts.utf8_left > 0) {
            facts.is_utf8 = facts.is_utf8 && (octet & 0xC0U) == 0x80U;
            --facts.utf8_left;
        } else if (octet >= 0x80) {
            facts.utf8_left = octet >= 0xF0 ? 3 : octet >= 0xE0 ? 2 : 1;
            facts.is_utf8 = facts.is_utf8 && octet >= 0xC2 && octet <= 0xF4;
        }
        facts.eight_bit += octet >= 0x80 ? 1 : 0;
    }
}

void ReencodeSurvey::feed(std::string_view bytes) {
    const std::uint64_t end = offset_ + bytes.size();
    while (at_leaf_ < leaves_.size()) {
        const Part& part = message_->parts[leaves_[at_leaf_]];
        const std::uint64_t body_end = part.body_offset + part.body_size;
        const std::uint64_t from = std::max(offset_, part.body_offset);
        const std::uint64_t until = std::min(end, body_end);
        if (from < until) {
            look(facts_[at_leaf_], bytes.substr(from - offset_, until - from));
        }
        if (body_end > end) {
            break;
        }
        ++at_leaf_;
    }
    offset_ = end;
}

bool ReencodeSurvey::is_in_signed(std::uint32_t part) const {
    for (std::uint32_t at = part; at != kNoParent; at = message_->parts[at].parent) {
        if (message_->parts[at].is("multipart", "signed")) {
            return true;
        }
    }
    return false;
}

/// RFC 2045 6.4: what holds other parts is never encoded itself.
bool ReencodeSurvey::has_opaque_bodies(const Part& part) const {
    return part.type == "multipart" || part.type == "message";
}

ReencodePlan ReencodeSurvey::finish(const WireForm& form) {
    ReencodePlan plan;
    const auto give_up = [&plan](ReencodePlan::Verdict verdict) {
        plan.verdict = verdict;
        plan.edits.clear();
        return plan;
    };
    std::size_t leaf = 0;
    bool is_unclear = false;
    for (std::uint32_t i = 0; i < message_->parts.size(); ++i) {
        const Part& part = message_->parts[i];
        ReencodeEdit header{.begin = part.header_offset,
                            .end = part.body_offset,
                            .encoding = {},
                            .charset = {},
                            .is_root = i == 0};
        ReencodeEdit body{.begin = part.body_offset,
                          .end = part.body_offset + part.body_size,
                          .encoding = {},
                          .charset = {}};
        bool is_encoded = false;
        if (part.kind == Part::Kind::Leaf) {
            Facts& facts = facts_[leaf++];
            facts.is_binary = facts.is_binary || facts.cr_pending;
            const bool is_needed = (facts.eight_bit > 0 && !form.eight_bit) || facts.is_binary ||
                                   (facts.line_max > line_octets_max && !form.long_lines);
            is_encoded = is_needed && is_identity(part.encoding);
            if (is_encoded && has_opaque_bodies(part)) {
                return give_up(ReencodePlan::Verdict::Impossible);
            }
            const bool is_text = part.type == "text" && !facts.is_binary;
            // Up to a third of escapes quoted-printable is about as short, and can be read.
            const bool is_quoted = is_text && facts.escaped * 3 <= facts.octets;
            body.kind =
                is_quoted ? ReencodeEdit::Kind::QuotedPrintable : ReencodeEdit::Kind::Base64;
            header.encoding = is_quoted ? "quoted-printable" : "base64";
            if (is_encoded && part.type == "text" && facts.eight_bit > 0) {
                header.charset = facts.is_utf8 && facts.utf8_left == 0 ? "utf-8" : "unknown-8bit";
            }
        }
        const bool is_mislabelled =
            part.encoding == TransferEncoding::Binary ||
            (part.encoding == TransferEncoding::EightBit && !form.eight_bit);
        if (!is_encoded && !is_mislabelled) {
            continue;
        }
        if (!is_encoded) {
            header.encoding = form.eight_bit ? "8bit" : "7bit";
        }
        if (is_in_signed(i)) {
            return give_up(ReencodePlan::Verdict::Signed);
        }
        is_unclear = is_unclear || header.end - header.begin > limits::header_block_size_max;
        plan.edits.push_back(header);
        if (is_encoded) {
            plan.edits.push_back(body);
        }
    }
    if (!plan.edits.empty() && (message_->truncated || is_unclear)) {
        return give_up(ReencodePlan::Verdict::Impossible);
    }
    plan.verdict =
        plan.edits.empty() ? ReencodePlan::Verdict::Fits : ReencodePlan::Verdict::Changes;
    return plan;
}

void QuotedPrintableWriter::put(char octet, bool is_last_of_line, std::string& out) {
    const bool is_written_plain = is_plain(octet) || (is_wsp(octet) && !is_last_of_line);
    const std::size_t width = is_written_plain ? 1 : 3;
    // One place is for the "=" of a soft line break.
    if (column_ + width > kLineMax - 1) {
        out += "=\r\n";
        column_ = 0;
    }
    column_ += width;
    if (is_written_plain) {
        out += octet;
    } else {
        out += '=' + to_upper(hex_encode(std::string_view(&octet, 1)));
    }
}

void QuotedPrintableWriter::feed(std::string_view bytes, std::string& out) {
    for (const char c : bytes) {
        const bool ends_line = c == '\n' && held_.ends_with('\r');
        if (ends_line) {
            held_.pop_back();
            if (!held_.empty()) {
                put(held_.front(), true, out);  // A blank before the line's end (RFC 2045 6.7 (3)).
            }
            held_.clear();
            out += "\r\n";
            column_ = 0;
            continue;
        }
        if (c == '\r' && !held_.ends_with('\r')) {
            held_ += c;
            continue;
        }
        for (const char waiting : held_) {
            put(waiting, false, out);
        }
        held_.clear();
        if (is_wsp(c) || c == '\r') {
            held_ += c;
        } else {
            put(c, false, out);
        }
    }
}

void QuotedPrintableWriter::finish(std::string& out) {
    for (const char waiting : held_) {
        put(waiting, true, out);
    }
    held_.clear();
    column_ = 0;
}

void Base64Writer::line(std::string_view bytes, std::string& out) {
    if (has_lines_) {
        out += "\r\n";
    }
    has_lines_ = true;
    out += base64_encode(bytes);
}

void Base64Writer::feed(std::string_view bytes, std::string& out) {
    constexpr std::size_t kLineOctets = kLineMax / 4 * 3;
    held_ += bytes;
    std::size_t at = 0;
    for (; held_.size() - at >= kLineOctets; at += kLineOctets) {
        line(std::string_view(held_).substr(at, kLineOctets), out);
    }
    held_.erase(0, at);
}

void Base64Writer::finish(std::string& out) {
    if (!held_.empty()) {
        line(held_, out);
    }
    held_.clear();
    has_lines_ = false;
}

void Reencoder::take(const ReencodeEdit& edit, std::string_view bytes, std::string& out) {
    switch (edit.kind) {
        case ReencodeEdit::Kind::Header: header_ += bytes; return;
        case ReencodeEdit::Kind::QuotedPrintable: quoted_.feed(bytes, out); return;
        case ReencodeEdit::Kind::Base64: base64_.feed(bytes, out); return;
    }
}

void Reencoder::end(const ReencodeEdit& edit, std::string& out) {
    switch (edit.kind) {
        case ReencodeEdit::Kind::Header:
            out += rewrite_header(header_, edit);
            header_.clear();
            return;
        case ReencodeEdit::Kind::QuotedPrintable: quoted_.finish(out); return;
        case ReencodeEdit::Kind::Base64: base64_.finish(out); return;
    }
}

void Reencoder::feed(std::string_view bytes, std::string& out) {
    while (at_edit_ < plan_->edits.size()) {
        const ReencodeEdit& edit = plan_->edits[at_edit_];
        const std::uint64_t here = offset_;
        if (here < edit.begin) {
            const auto plain =
                static_cast<std::size_t>(std::min<std::uint64_t>(edit.begin - here, bytes.size()));
            out.append(bytes.substr(0, plain));
            bytes.remove_prefix(plain);
            offset_ += plain;
            if (offset_ < edit.begin) {
                note_end(out);
                return;
            }
        }
        const auto size =
            static_cast<std::size_t>(std::min<std::uint64_t>(edit.end - offset_, bytes.size()));
        take(edit, bytes.substr(0, size), out);
        bytes.remove_prefix(size);
        offset_ += size;
        if (offset_ < edit.end) {
            note_end(out);
            return;
        }
        end(edit, out);
        ++at_edit_;
    }
    out.append(bytes);
    offset_ += bytes.size();
    note_end(out);
}

void Reencoder::note_end(std::string_view out) {
    last_ = out.empty() ? last_ : out.back();
}

void Reencoder::finish(std::string& out) {
    for (; at_edit_ < plan_->edits.size(); ++at_edit_) {
        end(plan_->edits[at_edit_], out);
    }
    note_end(out);
    if (last_ != '\n') {
        out += "\r\n";  // Lines end, binary content did not.
    }
}

}  // namespace godwit::mail
