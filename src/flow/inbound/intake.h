// The body of one message while it arrives: hashed and stored, parsed, and on submission its header
// put right, each octet once. Memory is bounded whatever the size.
// RFC 5321 4.1.1.4; RFC 6409 8 (what a submission server may fix); STORE.md "The commit path".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flow/services.h"
#include "mail/address/address.h"
#include "mail/message/parser.h"
#include "net/io/task.h"
#include "store/blob/blob.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

enum class IntakeMode : std::uint8_t {
    Verbatim,    ///< From other servers: byte for byte.
    Submission,  ///< From our users' clients: Date, Message-ID, Bcc; authors of moved domains.
};

struct Taken {
    store::NewBody body;
    mail::ParsedMessage parsed;
    /// Submission: addresses that claim to have written it, to be checked for ownership.
    std::vector<mail::Address> authors;
    /// Submission: a header that cannot be sent on, and why.
    std::optional<smtp::Reply> refusal;
    bool has_long_lines = false;  ///< Lines of more than 998 octets.
};

/// One message; one task at a time. `services` outlives it.
class Intake {
public:
    Intake(const Services* services, MailId mail, IntakeMode mode);
    /// The next bytes. An error (disk full, I/O) means the message cannot be taken: 452 or 451.
    net::Task<Result<>> append(std::string bytes);
    /// Call once, when the body is whole.
    net::Task<Result<Taken>> finish();

private:
    net::Task<Result<>> put(std::string bytes);
    net::Task<Result<>> end_header();
    void measure_lines(std::string_view bytes);

    const Services* services_;
    MailId mail_;
    IntakeMode mode_;
    bool in_header_;
    std::string header_;        ///< Submission: what came so far of the header.
    std::size_t searched_ = 0;  ///< No blank line before here.
    std::shared_ptr<store::BlobWriter> writer_;
    mail::MessageParser parser_;
    std::uint64_t line_size_ = 0;  ///< Of the line that is open.
    bool has_long_lines_ = false;
    std::vector<mail::Address> authors_;
    std::optional<smtp::Reply> refusal_;
};

}  // namespace godwit::flow
