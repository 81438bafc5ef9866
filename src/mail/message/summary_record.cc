// The binary form of MessageSummary. Version 1:
//   u8 version | u8 flags | size | header_size | sent, offset (if flagged) | headers | preview |
//   parts
// Numbers are varints, strings carry their length. Common types and parameter names are one octet,
// by their place in the tables below: entries may be added at the end, never moved.
#include <array>

#include "base/bytes.h"
#include "base/limits.h"
#include "mail/message/summary.h"

namespace godwit::mail {
namespace {

constexpr std::uint8_t kVersion = 1;
enum SummaryFlag : std::uint8_t {
    kSent = 1,
    kAttachment = 2,
    kStructureCut = 4,
    kHeadersCut = 8,
    kHeader8bit = 16
};
enum PartFlag : std::uint16_t {
    kId = 1,
    kDescription = 2,
    kMd5 = 4,
    kDisposition = 8,
    kLanguages = 16,
    kLocation = 32,
    kEncodingName = 64,
    kEnvelope = 128,
    kParameters = 256,
};

struct TypeName {
    std::string_view type;
    std::string_view subtype;
};
constexpr std::array<TypeName, 24> kTypes = {{{"text", "plain"},
                                              {"text", "html"},
                                              {"multipart", "mixed"},
                                              {"multipart", "alternative"},
                                              {"multipart", "related"},
                                              {"multipart", "signed"},
                                              {"multipart", "report"},
                                              {"message", "rfc822"},
                                              {"message", "delivery-status"},
                                              {"text", "rfc822-headers"},
                                              {"text", "calendar"},
                                              {"application", "octet-stream"},
                                              {"application", "pdf"},
                                              {"application", "zip"},
                                              {"application", "msword"},
                                              {"application", "pgp-signature"},
                                              {"application", "pgp-encrypted"},
                                              {"application", "pkcs7-signature"},
                                              {"application", "pkcs7-mime"},
                                              {"image", "png"},
                                              {"image", "jpeg"},
                                              {"image", "gif"},
                                              {"multipart", "digest"},
                                              {"multipart", "encrypted"}}};
constexpr std::array<std::string_view, 12> kParameterNames = {
    "charset",  "boundary", "name", "filename",    "format", "delsp",
    "protocol", "micalg",   "type", "report-type", "size",   "method"};

void put_parameters(ByteWriter& out, const std::vector<Parameter>& parameters) {
    out.varint(parameters.size());
    for (const Parameter& parameter : parameters) {
        std::uint8_t code = 0;
        for (std::size_t i = 0; i < kParameterNames.size(); ++i) {
            if (kParameterNames[i] == parameter.name) {
                code = static_cast<std::uint8_t>(i + 1);
            }
        }
        out.u8(code);
        if (code == 0) {
            out.bytes(parameter.name);
        }
        out.bytes(parameter.value);
    }
}

std::vector<Parameter> take_parameters(ByteReader& in) {
    std::vector<Parameter> parameters(in.varint_at_most(limits::mime_parameters_max));
    for (Parameter& parameter : parameters) {
        const std::uint8_t code = in.u8();
        if (code == 0) {
            parameter.name = in.bytes();
        } else if (code <= kParameterNames.size()) {
            parameter.name = kParameterNames[code - 1U];
        }
        parameter.value = in.bytes();
    }
    return parameters;
}

constexpr std::array<std::optional<std::string> Envelope::*, 10> kEnvelopeMembers = {
    &Envelope::date,        &Envelope::subject,   &Envelope::from, &Envelope::sender,
    &Envelope::reply_to,    &Envelope::to,        &Envelope::cc,   &Envelope::bcc,
    &Envelope::in_reply_to, &Envelope::message_id};

void put_envelope(ByteWriter& out, const Envelope& envelope) {
    std::uint16_t present = 0;
    for (std::size_t i = 0; i < kEnvelopeMembers.size(); ++i) {
        present = static_cast<std::uint16_t>(
            present | ((envelope.*kEnvelopeMembers[i]).has_value() ? 1U << i : 0U));
    }
    out.varint(present);
    for (const auto member : kEnvelopeMembers) {
        if (const auto& value = envelope.*member) {
            out.bytes(*value);
        }
    }
}

Envelope take_envelope(ByteReader& in) {
    Envelope envelope;
    const std::uint64_t present = in.varint();
    for (std::size_t i = 0; i < kEnvelopeMembers.size(); ++i) {
        if ((present >> i & 1U) != 0) {
            envelope.*kEnvelopeMembers[i] = std::string(in.bytes());
        }
    }
    return envelope;
}

std::uint16_t part_flags(const Part& part) {
    unsigned flags = 0;
    const auto flag = [&flags](bool present, PartFlag bit) {
        flags |= present ? unsigned{bit} : 0U;
    };
    flag(!part.id.empty(), kId);
    flag(!part.description.empty(), kDescription);
    flag(!part.md5.empty(), kMd5);
    flag(!part.disposition.empty() || !part.disposition_parameters.empty(), kDisposition);
    flag(!part.languages.empty(), kLanguages);
    flag(!part.location.empty(), kLocation);
    flag(!part.encoding_name.empty(), kEncodingName);
    flag(part.envelope.has_value(), kEnvelope);
    flag(!part.parameters.empty(), kParameters);
    return static_cast<std::uint16_t>(flags);
}

void put_type(ByteWriter& out, const Part& part) {
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
        if (kTypes[i].type == part.type && kTypes[i].subtype == part.subtype) {
            out.u8(static_cast<std::uint8_t>(i + 1));
            return;
        }
    }
    out.u8(0).bytes(part.type).bytes(part.subtype);
}

void put_part(ByteWriter& out, const Part& part, std::uint32_t index) {
    const std::uint16_t flags = part_flags(part);
    out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(part.kind) |
                                     static_cast<unsigned>(part.encoding) << 4));
    out.varint(part.parent == kNoParent ? 0 : index - part.parent);
    out.varint(part.header_offset)
        .varint(part.header_size())
        .varint(part.body_size)
        .varint(part.lines);
    put_type(out, part);
    out.varint(flags);
    if ((flags & kParameters) != 0) {
        put_parameters(out, part.parameters);
    }
    for (const auto& [bit, text] : {std::pair<PartFlag, const std::string*>{kId, &part.id},
                                    {kDescription, &part.description},
                                    {kMd5, &part.md5},
                                    {kLocation, &part.location},
                                    {kEncodingName, &part.encoding_name}}) {
        if ((flags & bit) != 0) {
            out.bytes(*text);
        }
    }
    if ((flags & kDisposition) != 0) {
        out.bytes(part.disposition);
        put_parameters(out, part.disposition_parameters);
    }
    if ((flags & kLanguages) != 0) {
        out.varint(part.languages.size());
        for (const std::string& language : part.languages) {
            out.bytes(language);
        }
    }
    if (part.envelope) {
        put_envelope(out, *part.envelope);
    }
}

void take_type(ByteReader& in, Part& part) {
    const std::uint8_t code = in.u8();
    if (code == 0) {
        part.type = in.bytes();
        part.subtype = in.bytes();
    } else if (code <= kTypes.size()) {
        part.type = kTypes[code - 1U].type;
        part.subtype = kTypes[code - 1U].subtype;
    }
}

void take_optional_fields(ByteReader& in, Part& part) {
    const std::uint64_t flags = in.varint();
    if ((flags & kParameters) != 0) {
        part.parameters = take_parameters(in);
    }
    for (const auto& [bit, text] : {std::pair<PartFlag, std::string*>{kId, &part.id},
                                    {kDescription, &part.description},
                                    {kMd5, &part.md5},
                                    {kLocation, &part.location},
                                    {kEncodingName, &part.encoding_name}}) {
        if ((flags & bit) != 0) {
            *text = in.bytes();
        }
    }
    if ((flags & kDisposition) != 0) {
        part.disposition = in.bytes();
        part.disposition_parameters = take_parameters(in);
    }
    if ((flags & kLanguages) != 0) {
        part.languages.resize(in.varint_at_most(limits::mime_languages_max));
        for (std::string& language : part.languages) {
            language = in.bytes();
        }
    }
    if ((flags & kEnvelope) != 0) {
        part.envelope = take_envelope(in);
    }
}

// False when the record cannot be one of ours.
bool take_part(ByteReader& in, Part& part, std::uint32_t index, std::uint64_t message_size) {
    const std::uint8_t shape = in.u8();
    const std::uint64_t up = in.varint();
    part.header_offset = in.varint();
    const std::uint64_t header_size = in.varint();
    part.body_size = in.varint();
    part.lines = in.varint();
    take_type(in, part);
    take_optional_fields(in, part);
    const unsigned kind = shape & 15U;
    const unsigned encoding = shape >> 4U;
    if (kind > 2 || encoding > static_cast<unsigned>(TransferEncoding::Other) || up > index ||
        (up == 0) != (index == 0) || part.header_offset > message_size ||
        header_size > message_size - part.header_offset) {
        return false;
    }
    part.kind = static_cast<Part::Kind>(kind);
    part.encoding = static_cast<TransferEncoding>(encoding);
    part.parent = up == 0 ? kNoParent : index - static_cast<std::uint32_t>(up);
    part.body_offset = part.header_offset + header_size;
    return part.body_size <= message_size - part.body_offset && part.lines <= part.body_size &&
           (part.kind == Part::Kind::Message) == part.envelope.has_value();
}

// The promises of Part::Kind, and a bounded depth for those who walk down.
bool is_sound_tree(const PartTree& parts) {
    std::vector<std::uint32_t> children(parts.size(), 0);
    std::vector<std::uint32_t> depth(parts.size(), 1);
    for (std::size_t i = 1; i < parts.size(); ++i) {
        ++children[parts[i].parent];
        depth[i] = depth[parts[i].parent] + 1;
        if (depth[i] > limits::mime_depth_max) {
            return false;
        }
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
        switch (parts[i].kind) {
            case Part::Kind::Leaf:
                if (children[i] != 0) {
                    return false;
                }
                break;
            case Part::Kind::Multipart:
                if (children[i] == 0) {
                    return false;
                }
                break;
            case Part::Kind::Message:
                if (children[i] != 1) {
                    return false;
                }
                break;
        }
    }
    return true;
}

std::unexpected<Error> corrupt(std::string_view what) {
    return internal_error(ErrorCode::Corrupt, "message summary: " + std::string(what));
}

}  // namespace

std::string MessageSummary::encode() const {
    ByteWriter out;
    unsigned flags = 0;
    flags |= sent ? kSent : 0U;
    flags |= has_attachment ? kAttachment : 0U;
    flags |= structure_truncated ? kStructureCut : 0U;
    flags |= headers_truncated ? kHeadersCut : 0U;
    flags |= header_has_8bit ? kHeader8bit : 0U;
    out.u8(kVersion).u8(static_cast<std::uint8_t>(flags)).varint(size).varint(header_size);
    if (sent) {
        out.svarint(sent->unix_seconds).svarint(sent->offset_minutes);
    }
    out.bytes(headers).bytes(preview).varint(parts.size());
    for (std::uint32_t i = 0; i < parts.size(); ++i) {
        put_part(out, parts[i], i);
    }
    return std::move(out).take();
}

Result<SummaryView> SummaryView::open(std::string_view record) {
    ByteReader in(record);
    if (in.u8() != kVersion) {
        return corrupt("unknown version");
    }
    SummaryView view;
    const std::uint8_t flags = in.u8();
    view.size = in.varint();
    view.header_size = in.varint();
    if ((flags & kSent) != 0) {
        DateTime sent;
        sent.unix_seconds = in.svarint();
        sent.offset_minutes = static_cast<std::int32_t>(in.svarint());
        view.sent = sent;
    }
    view.has_attachment = (flags & kAttachment) != 0;
    view.structure_truncated = (flags & kStructureCut) != 0;
    view.headers_truncated = (flags & kHeadersCut) != 0;
    view.header_has_8bit = (flags & kHeader8bit) != 0;
    view.headers = in.bytes();
    view.preview = in.bytes();
    view.part_count_ = in.varint_at_most(limits::mime_parts_max);
    if (!in.ok() || view.part_count_ == 0 || view.header_size > view.size ||
        view.headers.size() > limits::summary_headers_size_max) {
        return corrupt("impossible head");
    }
    view.encoded_parts_ = in.raw(in.remaining());
    return view;
}

Result<PartTree> SummaryView::parts() const {
    ByteReader in(encoded_parts_);
    PartTree parts;
    parts.reserve(std::min<std::size_t>(part_count_, in.remaining()));
    for (std::uint32_t i = 0; i < part_count_; ++i) {
        if (!in.ok() || !take_part(in, parts.emplace_back(), i, size)) {
            return corrupt("impossible part");
        }
    }
    TRY(in.finish("message summary"));
    if (!is_sound_tree(parts)) {
        return corrupt("impossible tree");
    }
    return parts;
}

Result<MessageSummary> MessageSummary::decode(std::string_view record) {
    const SummaryView view = TRY(SummaryView::open(record));
    MessageSummary summary;
    summary.size = view.size;
    summary.header_size = view.header_size;
    summary.sent = view.sent;
    summary.has_attachment = view.has_attachment;
    summary.structure_truncated = view.structure_truncated;
    summary.headers_truncated = view.headers_truncated;
    summary.header_has_8bit = view.header_has_8bit;
    summary.headers = view.headers;
    summary.preview = view.preview;
    summary.parts = TRY(view.parts());
    return summary;
}

}  // namespace godwit::mail
