#include "mail/message/author_rewrite.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "mail/address/domain.h"
#include "mail/message/header.h"
#include "mail/text/lexical.h"

namespace godwit::mail {

namespace {

bool names_authors(std::string_view field) {
    constexpr std::array<std::string_view, 4> kFields = {"From", "Sender", "Resent-From",
                                                         "Resent-Sender"};
    return std::ranges::any_of(
        kFields, [field](std::string_view name) { return equals_ignore_case(name, field); });
}

const DomainMove* find_move(std::string_view domain, std::span<const DomainMove> moves) {
    const auto normal = normalize_domain(domain);
    if (!normal) {
        return nullptr;
    }
    const auto found = std::ranges::find(moves, *normal, &DomainMove::from);
    return found == moves.end() ? nullptr : &*found;
}

void append_moved(std::string& out, std::string_view body, std::span<const DomainMove> moves) {
    LexicalView view(body);
    std::string_view copied = body;  // Not written yet.
    while (!view.at_end()) {
        if (view.skip_cfws()) {
            continue;
        }
        if (view.peek() == '"') {
            static_cast<void>(view.take_quoted_string());
            continue;
        }
        if (!view.take('@')) {
            view.advance(1);
            continue;
        }
        view.skip_cfws();
        const std::string_view before = view.rest();
        const std::string_view domain = view.take_dot_atom();
        if (const DomainMove* move = find_move(domain, moves)) {
            out.append(copied.substr(0, copied.size() - before.size())).append(move->to);
            copied = view.rest();
        }
    }
    out.append(copied);
}

}  // namespace

std::string move_author_domains(std::string_view header_block, std::span<const DomainMove> moves) {
    std::string out;
    std::size_t at = 0;
    for (const HeaderField& field : split_header(header_block).fields) {
        if (!names_authors(field.name(header_block))) {
            continue;
        }
        out.append(header_block.substr(at, field.body_begin - at));
        append_moved(out, field.body(header_block), moves);
        at = field.end;
    }
    return out.append(header_block.substr(at));
}

}  // namespace godwit::mail
