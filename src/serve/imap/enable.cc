// Serves ENABLE. RFC 5161 3; Q41.
#include <array>

#include "base/ascii.h"
#include "serve/imap/conversation.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

struct FeatureRow {
    std::string_view name;
    Feature feature{};
};

// What CAPABILITY announces and ENABLE turns on.
constexpr std::array<FeatureRow, 0> kFeatures = {};

}  // namespace

AnswerTask run_enable(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<std::vector<std::string>> names = imap::parse_enable(lexer);
    if (!names) {
        co_return bad(names.error().text);
    }
    // RFC 5161 3.1: what is not known is passed over, what was enabled before is not said again.
    std::string enabled = "ENABLED";
    for (const std::string& name : *names) {
        for (const FeatureRow& row : kFeatures) {
            if (equals_ignore_case(name, row.name) && !c->has_enabled(row.feature)) {
                c->enable(row.feature);
                enabled.append(" ").append(row.name);
            }
        }
    }
    c->out().line(enabled);
    co_return ok("ENABLE completed");
}

}  // namespace godwit::serve::imap_desk
