// The words of IMAP's argument grammar, read one after the other from a command's text.
// RFC 3501 9: atom, astring, string, nstring, number, list-mailbox. RFC 4466 3: literal8.
// Every step moves forward; nothing here recurses. Errors are of kind Peer and name the offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/imap/command.h"

namespace godwit::imap {

/// ATOM-CHAR, RFC 3501 9: any 7-bit character but ( ) { SP CTL % * " \ ].
bool is_atom_char(char c);
/// ASTRING-CHAR: ATOM-CHAR or ].
bool is_astring_char(char c);

/// A literal found in the text: its announced size, and whether its octets went to the caller.
struct LiteralToken {
    std::uint64_t size = 0;
    bool binary = false;
    bool streamed = false;
};

/// A cursor over one command's text, which it only borrows: the Command must outlive it. Every
/// method that fails leaves the cursor somewhere inside; give up then.
class Lexer {
public:
    /// At the arguments of `command`.
    explicit Lexer(const Command& command);
    /// At the start of `text`, which has no streamed literals.
    explicit Lexer(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() const { return pos_ >= text_.size(); }
    /// The next octet, NUL at the end.
    [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[pos_]; }
    [[nodiscard]] std::size_t offset() const { return pos_; }
    /// Moves back to an offset() taken before.
    void rewind(std::size_t offset) { pos_ = offset; }

    /// Takes `c` if it is next.
    bool take(char c);
    /// Takes `word` (ASCII case ignored) if it is next and no atom character follows it.
    bool take_word(std::string_view word);
    [[nodiscard]] Result<> expect(char c);
    /// Exactly one SP.
    [[nodiscard]] Result<> space() { return expect(' '); }
    /// The end of the command. Trailing SP are forgiven: hand-written clients send them. On failure
    /// the cursor stays where it was.
    [[nodiscard]] Result<> end();

    /// The views are into the command's text.
    [[nodiscard]] Result<std::string_view> atom();
    /// One or more octets for which `accepts` holds.
    [[nodiscard]] Result<std::string_view> run(bool (*accepts)(char), std::string_view what);
    [[nodiscard]] Result<std::string> astring();
    /// Quoted or literal.
    [[nodiscard]] Result<std::string> string();
    /// nullopt for NIL.
    [[nodiscard]] Result<std::optional<std::string>> nstring();
    /// RFC 3501 9 list-mailbox: as astring, with % and * allowed bare.
    [[nodiscard]] Result<std::string> list_mailbox();
    /// 0 to 2^32-1.
    [[nodiscard]] Result<std::uint32_t> number();
    /// 1 to 2^32-1.
    [[nodiscard]] Result<std::uint32_t> nz_number();
    /// 0 to 2^63-1. RFC 9051 9 (number64); RFC 7162 7 (mod-sequence-valzer).
    [[nodiscard]] Result<std::uint64_t> number64();
    /// A literal's header; the cursor is then behind its octets (which a streamed one has none of).
    [[nodiscard]] Result<LiteralToken> literal_token();
    /// "expected WHAT at octet N".
    [[nodiscard]] std::unexpected<Error> bad(std::string_view what) const;

private:
    [[nodiscard]] Result<std::string> quoted();
    [[nodiscard]] Result<std::string> literal();
    [[nodiscard]] bool at_literal() const;

    std::string_view text_;
    std::size_t pos_ = 0;
    const Command* command_ = nullptr;
};

}  // namespace godwit::imap
