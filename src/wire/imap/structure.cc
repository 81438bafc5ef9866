#include "wire/imap/structure.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address/address_list.h"

namespace godwit::imap {

namespace {

void write_empty_as_nil(ResponseWriter& writer, std::string_view value) {
    if (value.empty()) {
        writer.raw("NIL");
    } else {
        writer.string(value);
    }
}

void write_address(ResponseWriter& writer, const mail::ListedAddress& item) {
    using Kind = mail::ListedAddress::Kind;
    // RFC 3501 7.4.2: a NIL host marks a group, a NIL mailbox besides its end (Q32).
    writer.raw("(");
    if (item.kind == Kind::GroupEnd) {
        writer.raw("NIL NIL NIL NIL)");
        return;
    }
    if (item.kind == Kind::GroupStart) {
        writer.raw("NIL NIL ").string(item.mailbox).raw(" NIL)");
        return;
    }
    write_empty_as_nil(writer, item.name);
    writer.raw(" ");
    write_empty_as_nil(writer, item.route);
    writer.raw(" ").string(item.mailbox).raw(" ").string(item.host).raw(")");
}

void write_addresses(ResponseWriter& writer, const mail::AddressList& list) {
    if (list.items.empty()) {
        writer.raw("NIL");
        return;
    }
    writer.raw("(");
    for (const mail::ListedAddress& item : list.items) {
        write_address(writer, item);
    }
    writer.raw(")");
}

mail::AddressList addresses_of(const std::optional<std::string>& field) {
    return field ? mail::parse_address_list(*field) : mail::AddressList{};
}

void write_parameters(ResponseWriter& writer, const std::vector<mail::Parameter>& parameters) {
    if (parameters.empty()) {
        writer.raw("NIL");
        return;
    }
    std::string_view before = "(";
    for (const mail::Parameter& parameter : parameters) {
        writer.raw(before).string(parameter.name).raw(" ").string(parameter.value);
        before = " ";
    }
    writer.raw(")");
}

// body-fld-dsp, body-fld-lang, body-fld-loc: the end of both kinds of extension data.
void write_common_extension(ResponseWriter& writer, const mail::Part& part) {
    if (part.disposition.empty()) {
        writer.raw(" NIL ");
    } else {
        // Q34: ("attachment" NIL) where there are no parameters.
        writer.raw(" (").string(part.disposition).raw(" ");
        write_parameters(writer, part.disposition_parameters);
        writer.raw(") ");
    }
    if (part.languages.size() > 1) {
        std::string_view before = "(";
        for (const std::string& language : part.languages) {
            writer.raw(before).string(language);
            before = " ";
        }
        writer.raw(")");
    } else {
        write_empty_as_nil(writer,
                           part.languages.empty() ? std::string_view() : part.languages.front());
    }
    writer.raw(" ");
    write_empty_as_nil(writer, part.location);
}

// The tree with links down and sideways, as the printer walks it.
class Printer {
public:
    Printer(ResponseWriter& writer, const mail::PartTree& parts, StructureForm form)
        : writer_(writer),
          parts_(parts),
          form_(form),
          first_child_(parts.size(), mail::kNoParent),
          next_sibling_(parts.size(), mail::kNoParent) {
        for (std::uint32_t i = static_cast<std::uint32_t>(parts.size()); i-- > 1;) {
            const std::uint32_t parent = parts[i].parent;
            if (parent < i) {
                next_sibling_[i] = first_child_[parent];
                first_child_[parent] = i;
            }
        }
    }

    void run() {
        std::uint32_t at = 0;
        for (;;) {
            open(at);
            if (shows_children(at)) {
                at = first_child_[at];
                continue;
            }
            close(at);
            while (at != 0 && !has_next(at)) {
                at = parts_[at].parent;
                close(at);
            }
            if (at == 0) {
                return;
            }
            at = next_sibling_[at];
        }
    }

private:
    // A message/rfc822 that holds a message, as body-type-msg wants it.
    [[nodiscard]] bool is_message(std::uint32_t at) const {
        const mail::Part& part = parts_[at];
        return part.kind == mail::Part::Kind::Message && part.subtype == "rfc822" &&
               part.envelope && first_child_[at] != mail::kNoParent;
    }
    [[nodiscard]] bool is_multipart(std::uint32_t at) const {
        return parts_[at].type == "multipart";
    }
    [[nodiscard]] bool shows_children(std::uint32_t at) const {
        return first_child_[at] != mail::kNoParent && (is_message(at) || is_multipart(at));
    }
    [[nodiscard]] bool has_next(std::uint32_t at) const {
        return next_sibling_[at] != mail::kNoParent && !is_message(parts_[at].parent);
    }

    void open(std::uint32_t at) {
        const mail::Part& part = parts_[at];
        writer_.raw("(");
        if (is_multipart(at)) {
            if (!shows_children(at)) {
                // RFC 3501 9 (body-type-mpart) wants at least one body: an empty text stands in.
                writer_.raw("(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 0)");
            }
            return;
        }
        if (part.type == "message" && part.subtype == "rfc822" && !is_message(at)) {
            // RFC 3501 9 (media-basic): MESSAGE/RFC822 must not stand without its envelope.
            writer_.raw("\"application\" \"octet-stream\" ");
        } else {
            writer_.string(part.type).raw(" ").string(part.subtype).raw(" ");
        }
        write_fields(part);
        if (is_message(at)) {
            writer_.raw(" ");
            write_envelope(writer_, *part.envelope);
            writer_.raw(" ");
        }
    }

    void close(std::uint32_t at) {
        const mail::Part& part = parts_[at];
        const bool extended = form_ == StructureForm::BodyStructure;
        if (is_multipart(at)) {
            writer_.raw(" ").string(part.subtype);
            if (extended) {
                writer_.raw(" ");
                write_parameters(writer_, part.parameters);
            }
        } else {
            if (part.type == "text" || is_message(at)) {
                writer_.raw(" ").number(part.lines);
            }
            if (extended) {
                writer_.raw(" ");
                write_empty_as_nil(writer_, part.md5);
            }
        }
        if (extended) {
            write_common_extension(writer_, part);
        }
        writer_.raw(")");
    }

    // body-fields: parameters, id, description, encoding, octets.
    void write_fields(const mail::Part& part) {
        write_parameters(writer_, part.parameters);
        writer_.raw(" ");
        write_empty_as_nil(writer_, part.id);
        writer_.raw(" ");
        write_empty_as_nil(writer_, part.description);
        writer_.raw(" ");
        // Q34: never NIL.
        const bool is_other =
            part.encoding == mail::TransferEncoding::Other && !part.encoding_name.empty();
        writer_.string(is_other ? std::string_view(part.encoding_name)
                                : mail::transfer_encoding_name(part.encoding));
        writer_.raw(" ").number(part.body_size);
    }

    ResponseWriter& writer_;
    const mail::PartTree& parts_;
    StructureForm form_;
    std::vector<std::uint32_t> first_child_;
    std::vector<std::uint32_t> next_sibling_;
};

}  // namespace

void write_envelope(ResponseWriter& writer, const mail::Envelope& envelope) {
    const mail::AddressList from = addresses_of(envelope.from);
    const auto write_or_from = [&](const std::optional<std::string>& field) {
        const mail::AddressList list = addresses_of(field);
        write_addresses(writer, list.items.empty() ? from : list);
    };
    writer.raw("(").nstring(envelope.date).raw(" ").nstring(envelope.subject).raw(" ");
    write_addresses(writer, from);
    writer.raw(" ");
    write_or_from(envelope.sender);
    writer.raw(" ");
    write_or_from(envelope.reply_to);
    for (const auto* field : {&envelope.to, &envelope.cc, &envelope.bcc}) {
        writer.raw(" ");
        write_addresses(writer, addresses_of(*field));
    }
    writer.raw(" ").nstring(envelope.in_reply_to).raw(" ").nstring(envelope.message_id).raw(")");
}

void write_structure(ResponseWriter& writer, const mail::PartTree& parts, StructureForm form) {
    check(!parts.empty(), "a message has at least its root part");
    Printer(writer, parts, form).run();
}

}  // namespace godwit::imap
