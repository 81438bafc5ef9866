// Header blocks: fields are in order and inside the block; the two ways to find the end agree; what
// submission makes of a header is a header; trace writers hold whatever they are given.
#include "mail/message/header.h"

#include "input.h"
#include "mail/message/submission_header.h"
#include "mail/message/trace.h"

using namespace godwit;
using namespace godwit::mail;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text = fuzz::as_text(bytes, size);
    const HeaderIndex index = split_header(text);
    std::size_t end = 0;
    for (const HeaderField& field : index.fields) {
        check(field.begin >= end && field.name_size > 0, "fields overlap or have no name");
        check(field.begin + field.name_size < field.body_begin && field.body_begin <= field.end,
              "field is inside out");
        end = field.end;
        (void)unfold(field.body(text));
        (void)parse_message_ids(field.body(text));
    }
    check(end <= index.size && index.size <= text.size(), "header ends outside");
    if (const auto found = find_header_end(text)) {
        check(*found == index.size, "two opinions on the end of a header");
    }
    const SubmissionHeader prepared =
        prepare_submission(text, {.now = 0, .message_id = "<a@b>", .from = ""});
    check(find_header_end(prepared.block) == prepared.block.size(),
          "the prepared header is not whole");
    check(split_header(prepared.block).find(prepared.block, "Bcc") == nullptr, "Bcc is left");
    ReceivedField received;
    received.helo = received.client_name = received.client_address = received.by = received.tls =
        received.id = text;
    const std::string line = write_received(received);
    check(split_header(line).fields.size() == 1, "something broke out of Received");
    return 0;
}
