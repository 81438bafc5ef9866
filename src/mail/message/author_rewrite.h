// A domain that has moved: From and Sender of submitted mail say the new one. Every other octet of
// the header stays as it is. Pure. RFC 5322 3.6.2; RFC 6409 8 (what a submission server may fix).
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace godwit::mail {

/// Both in the form of normalize_domain.
struct DomainMove {
    std::string from;
    std::string to;
};

/// `header_block` with the domains of addresses in From, Sender, Resent-From and Resent-Sender
/// replaced. Display names, comments and quoted text are not looked into. Linear.
std::string move_author_domains(std::string_view header_block, std::span<const DomainMove> moves);

}  // namespace godwit::mail
