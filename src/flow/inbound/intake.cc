#include "flow/inbound/intake.h"

#include <algorithm>
#include <set>

#include "base/probe.h"
#include "flow/read.h"
#include "mail/message/author_rewrite.h"
#include "mail/message/reencode.h"
#include "mail/message/submission_header.h"
#include "net/io/offload.h"
#include "store/directory/directory.h"
#include "store/store.h"

namespace godwit::flow {

namespace {

// Octets of the header with its blank line, or npos while it has not ended. Content is canonical
// CRLF by now. A message may begin with the blank line.
std::size_t header_end(std::string_view text, std::size_t from) {
    if (text.starts_with("\r\n")) {
        return 2;
    }
    const std::size_t blank = text.find("\r\n\r\n", from);
    return blank == std::string_view::npos ? blank : blank + 4;
}

std::optional<smtp::Reply> header_refusal(const mail::SubmissionHeader& header) {
    if (header.too_large) {
        return smtp::make_reply(552, {5, 3, 4}, "The message header is too large");
    }
    if (header.from_fields > 1 || header.sender_fields > 1) {
        return smtp::make_reply(550, {5, 6, 0},
                                "The message has more than one From or Sender field");
    }
    if (header.authors_malformed) {
        return smtp::make_reply(550, {5, 6, 0}, "The From or Sender field cannot be read");
    }
    return std::nullopt;
}

}  // namespace

Intake::Intake(const Services* services, MailId mail, IntakeMode mode)
    : services_(services),
      mail_(mail),
      mode_(mode),
      in_header_(mode == IntakeMode::Submission),
      writer_(services->store->blobs().writer()) {}

net::Task<Result<>> Intake::append(std::string bytes) {
    if (!in_header_) {
        co_return co_await put(std::move(bytes));
    }
    header_ += bytes;
    const std::size_t end = header_end(header_, searched_);
    searched_ = header_.size() > 3 ? header_.size() - 3 : 0;
    if (end == std::string::npos && header_.size() <= limits::header_block_size_max) {
        co_return Result<>();
    }
    co_return co_await end_header();
}

// Domains of the authors that have moved: from each to the one that answers for it.
net::Task<Result<std::vector<mail::DomainMove>>> find_moves(const Services* services,
                                                            std::vector<mail::Address> authors) {
    std::set<std::string> domains;
    for (const mail::Address& author : authors) {
        domains.insert(author.domain);
    }
    using Moves = std::vector<mail::DomainMove>;
    co_return co_await read(
        services,
        [domains](const store::Snapshot& snapshot, store::ReadTier tier) -> Result<Moves> {
            Moves moves;
            for (const std::string& name : domains) {
                const auto domain = TRY(store::find_domain(snapshot, tier, name));
                if (domain && domain->rewrites_senders && !domain->alias_of.empty()) {
                    moves.push_back({.from = name, .to = domain->alias_of});
                }
            }
            return moves;
        });
}

// Puts the header right and lets the rest through. What came behind the header goes after it.
net::Task<Result<>> Intake::end_header() {
    in_header_ = false;
    const SettingsPtr settings = services_->settings();
    mail::SubmissionDefaults defaults;
    defaults.now = unix_seconds(services_->clock->wall());
    defaults.message_id = "<" + to_string(mail_) + "." + std::to_string(defaults.now) + "@" +
                          settings->hostname + ">";
    mail::SubmissionHeader header = mail::prepare_submission(header_, defaults);
    refusal_ = header_refusal(header);
    for (std::vector<mail::Address>* claimed : {&header.from, &header.sender, &header.resent}) {
        authors_.insert(authors_.end(), claimed->begin(), claimed->end());
    }
    if (!refusal_) {
        // Authors are bounded with the header: limits::header_block_size_max.
        const auto moves = CO_TRY(co_await find_moves(services_, authors_));
        if (!moves.empty()) {
            header.block = mail::move_author_domains(header.block, moves);
        }
    }
    std::string rest = header_.substr(std::min(header.original_size, header_.size()));
    header_ = std::string();
    CO_TRY(co_await put(std::move(header.block)));
    if (!rest.empty()) {
        CO_TRY(co_await put(std::move(rest)));
    }
    co_return Result<>();
}

void Intake::measure_lines(std::string_view bytes) {
    // With its CRLF a line has 1000 (RFC 5321 4.5.3.1.6).
    constexpr std::uint64_t kLineMax = mail::line_octets_max + 2;
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const bool is_whole = end != std::string_view::npos;
        const std::size_t size = is_whole ? end + 1 : bytes.size();
        line_size_ += size;
        has_long_lines_ = has_long_lines_ || line_size_ > kLineMax;
        line_size_ = is_whole ? 0 : line_size_;
        bytes.remove_prefix(size);
    }
}

net::Task<Result<>> Intake::put(std::string bytes) {
    parser_.feed(bytes);
    measure_lines(bytes);
    if (!writer_->is_spooling() && writer_->size() + bytes.size() <= limits::body_memory_size_max) {
        co_return writer_->append(bytes);
    }
    probe<"inbound.body_spooled">();
    // Two lifetimes: a session that is cancelled leaves the job on the pool with its writer.
    std::shared_ptr<store::BlobWriter> writer = writer_;
    co_return co_await net::offload(
        services_->offload, [writer, chunk = std::move(bytes)] { return writer->append(chunk); });
}

net::Task<Result<Taken>> Intake::finish() {
    if (in_header_) {
        CO_TRY(co_await end_header());
    }
    Taken taken;
    if (writer_->is_spooling()) {
        std::shared_ptr<store::BlobWriter> writer = writer_;
        taken.body = CO_TRY(
            co_await net::offload(services_->offload, [writer] { return writer->finish(); }));
    } else {
        taken.body = CO_TRY(writer_->finish());
    }
    taken.parsed = parser_.finish();
    taken.authors = std::move(authors_);
    taken.refusal = std::move(refusal_);
    taken.has_long_lines = has_long_lines_;
    co_return taken;
}

}  // namespace godwit::flow
