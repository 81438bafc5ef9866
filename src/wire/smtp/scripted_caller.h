// A caller for tests and fuzz targets: drives a ServerEngine, answers by simple rules, keeps a log.
// Rules: local part "nobody" 550, "later" 451, "boom" 554 at DATA; alice and bob log in with
// "pencil", "broken" cannot be looked up; everything else is welcome.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/smtp/server.h"

namespace godwit::smtp {

struct TakenMail {
    Transaction transaction;
    std::string body;
};

class ScriptedCaller {
public:
    explicit ScriptedCaller(ServerOptions options);
    /// Feeds and answers until the engine wants more. Bytes after Close are dropped.
    void feed(std::string_view bytes);
    /// Handles what waits without feeding.
    void drain();
    std::string take_output() { return std::exchange(output_, std::string()); }

    ServerEngine engine;
    std::vector<std::string> log;  ///< One line an event; the body of a whole mail is one.
    std::vector<TakenMail> mails;
    bool closed = false;

private:
    void on(event::Event& event);
    std::string output_;
    std::string body_;
};

}  // namespace godwit::smtp
