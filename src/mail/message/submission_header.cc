#include "mail/message/submission_header.h"

#include <utility>

#include "base/ascii.h"
#include "mail/address/address_list.h"
#include "mail/message/header.h"
#include "mail/text/date.h"

namespace godwit::mail {
namespace {

// T47: an author that has to be guessed is an author that cannot be checked.
bool read_authors(std::string_view body, std::vector<Address>& out) {
    const AddressList list = parse_address_list(body);
    bool good = !list.malformed && !list.truncated;
    std::size_t found = 0;
    for (const ListedAddress& item : list.items) {
        if (item.kind != ListedAddress::Kind::Mailbox) {
            continue;  // RFC 6854 allows groups in From.
        }
        auto address = item.address();
        if (!address) {
            good = false;
            continue;
        }
        out.push_back(*std::move(address));
        ++found;
    }
    return good && found > 0;
}

class Preparation {
public:
    explicit Preparation(SubmissionHeader& out) : out_(&out) {}

    // False: the field is taken out.
    bool keep(std::string_view name, std::string_view body) {
        // RFC 5321 4.4: what is sent has no Return-Path; it is set at final delivery (J7).
        if (equals_ignore_case(name, "Bcc") || equals_ignore_case(name, "Resent-Bcc") ||
            equals_ignore_case(name, "Return-Path")) {
            return false;
        }
        if (equals_ignore_case(name, "From")) {
            ++out_->from_fields;
            note(read_authors(body, out_->from));
        } else if (equals_ignore_case(name, "Sender")) {
            ++out_->sender_fields;
            note(read_authors(body, out_->sender));
        } else if (equals_ignore_case(name, "Resent-From") ||
                   equals_ignore_case(name, "Resent-Sender")) {
            note(read_authors(body, out_->resent));
        } else if (equals_ignore_case(name, "Date")) {
            has_date_ = true;
        } else if (equals_ignore_case(name, "Message-ID") && !has_message_id_) {
            has_message_id_ = true;
            out_->message_id = unfold(body);
        }
        return true;
    }

    void add_missing(const SubmissionDefaults& defaults) {
        if (out_->from_fields == 0 && !defaults.from.empty()) {
            out_->block.append("From: ").append(defaults.from).append("\r\n");
            out_->from_fields = 1;
            note(read_authors(defaults.from, out_->from));
        }
        if (!has_date_) {
            out_->block.append("Date: ").append(format_date(defaults.now)).append("\r\n");
        }
        if (!has_message_id_) {
            out_->block.append("Message-ID: ").append(defaults.message_id).append("\r\n");
            out_->message_id = defaults.message_id;
        }
    }

private:
    void note(bool readable) { out_->authors_malformed = out_->authors_malformed || !readable; }

    SubmissionHeader* out_;
    bool has_date_ = false;
    bool has_message_id_ = false;
};

}  // namespace

// An mbox "From " line at the top is left out: under our Received it would end the header.
SubmissionHeader prepare_submission(std::string_view message, const SubmissionDefaults& defaults) {
    SubmissionHeader out;
    const HeaderIndex index = split_header(message);
    const std::string_view block = message.substr(0, index.size);
    out.original_size = index.size;
    out.too_large = index.truncated;
    out.has_8bit = !is_ascii(block);
    out.block.reserve(block.size() + 128);
    Preparation preparation(out);
    for (const HeaderField& field : index.fields) {
        if (preparation.keep(field.name(block), field.body(block))) {
            out.block.append(field.raw(block));
            if (!out.block.ends_with('\n')) {
                out.block.append("\r\n");
            }
        }
    }
    preparation.add_missing(defaults);
    out.block.append("\r\n");
    return out;
}

}  // namespace godwit::mail
