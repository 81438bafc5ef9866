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

}  // namespace

Envelope read_envelope(std::string_view block, const HeaderIndex& index) {
    Envelope envelope;
    for (const HeaderField& field : index.fields) {
        const std::string_view name = field.name(block);
        for (const EnvelopeField& known : kFields) {
            if (name.size() != known.name.size() || !equals_ignore_case(name, known.name)) {
                continue;
            }
            std::optional<std::string>& value = envelope.*known.member;
            if (!value) {
                value = unfold(field.body(block));
            } else if (known.joins) {
                value->append(value->empty() ? "" : ", ").append(unfold(field.body(block)));
            }
            break;
        }
    }
    return envelope;
}

}  // namespace godwit::mail
