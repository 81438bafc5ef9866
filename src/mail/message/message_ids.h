// Message ids of Message-ID, In-Reply-To and References, one by one. RFC 5322 3.6.4.
#pragma once

#include <string>
#include <string_view>

#include "mail/text/lexical.h"

namespace godwit::mail {

/// What parse_message_ids() (header.h) lists, without a list, and however many. `body` must outlive
/// it.
class MessageIdsView {
public:
    explicit MessageIdsView(std::string_view body) : lexer_(body) {}
    /// With angle brackets; empty at the end. Dies with the next call.
    std::string_view next();

private:
    LexicalView lexer_;
    std::string id_;
};

}  // namespace godwit::mail
