#include "mail/message/envelope.h"

#include <array>

#include "base/ascii.h"

namespace godwit::mail {
namespace {

struct EnvelopeField {
    std::string_view name;
    std::optional<std::string> Envelope::* member;
    bool joins = false;  // Address lists: several fields are one list.
};
constexpr std::array<EnvelopeField, 10> kFields = {{{"date", &Envelope::date},
                                                    {"subject", &Envelope::subject},
                                                    {"from", &Envelope::from, true},
                                                    {"sender", &Envelope::sender, true},
                                                    {"reply-to", &Envelope::reply_to, true},
                                                    {"to", &Envelope::to, true},
                                                    {"cc", &Envelope::cc, true},
                                                    {"bcc", &Envelope::bcc, true},
                                                    {"in-reply-to", &Envelope::in_reply_to},
                                                    {"message-id", &Envelope::message_id}}};

void take_field(const EnvelopeField& known, std::string_view body,
                std::optional<std::string>& value) {
    if (!value) {
        value = unfold(body);
    } else if (known.joins) {
        value->append(value->empty() ? "" : ", ").append(unfold(body));
    }
}

}  // namespace

std::optional<std::string> read_envelope_field(std::string_view block, const HeaderIndex& index,
                                               std::string_view name) {
    std::optional<std::string> value;
    for (const EnvelopeField& known : kFields) {
        if (known.name != name) {
            continue;
        }
        for (const HeaderField& field : index.fields) {
            if (field.name_size == name.size() && equals_ignore_case(field.name(block), name)) {
                take_field(known, field.body(block), value);
            }
        }
    }
    return value;
}

Envelope read_envelope(std::string_view block, const HeaderIndex& index) {
    Envelope envelope;
    for (const HeaderField& field : index.fields) {
        const std::string_view name = field.name(block);
        for (const EnvelopeField& known : kFields) {
            if (name.size() != known.name.size() || !equals_ignore_case(name, known.name)) {
                continue;
            }
            take_field(known, field.body(block), envelope.*known.member);
            break;
        }
    }
    return envelope;
}

}  // namespace godwit::mail
