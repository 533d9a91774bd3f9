//! The table: `fault => on WebSocket, on HTTP, what is thought of a, the active account, temporary failovers`.
//!
//! On WebSocket the first frame refers to its prewarm, and a frame that refers to an earlier response of its connection
//! can only be moved by the silent reconnect: hence `Again` where HTTP is `Silent`.

use baton_sim::{Failure, Fault};

use crate::{
    bytes::{
        COMPLETED, CREATED, END, LIMIT, OUTPUT, SSE, TEXT, answer, chunk, frame, frames, sized, stream, whole,
    },
    language::{
        By::{A, B, Both, Raw},
        Row,
        Sees::{Again, Fails, Nothing, Silent},
        State::{Attention, Cooling, Eligible, Exhausted},
        accept, after, call, code, content_type, delay, drip, encoding, error, failed, head, held, last,
        limit, mid_turn, next_turn, output, raw, refuse, respond, rows, throttle, upgrade,
    },
};

const MODEL: &str = "gpt-6.1-sol";
/// The year 2100.
const FAR: i64 = 4_102_444_800;
const MB: usize = 1024 * 1024;

pub(crate) fn simulated() -> Vec<Row> {
    rows! {
        // A usage limit, in every disguise and at every moment.
        head(refuse(limit()))                                              => Again(B), Silent(B), Exhausted, B, 0;
        head(refuse(limit().resets_at(FAR)))                               => Again(B), Silent(B), Exhausted, B, 0;
        head(refuse(limit().resets_at(-1)))                                => Again(B), Silent(B), Exhausted, B, 0;
        head(refuse(limit().status(403)))                                  => Again(B), Silent(B), Exhausted, B, 0;
        head(refuse(limit().status(503)))                                  => Again(B), Silent(B), Exhausted, B, 0;
        head(refuse(Failure::insufficient_quota()))                        => Again(B), Silent(B), Exhausted, B, 0;
        head(refuse(Failure::workspace_owner_credits_depleted()))          => Again(B), Silent(B), Exhausted, B, 0;
        head(refuse(Failure::workspace_member_usage_limit_reached()))      => Again(B), Silent(B), Exhausted, B, 0;
        held(failed(limit()))                                              => Again(B), Silent(B), Exhausted, B, 0;
        held(error(limit()))                                               => Again(B), Silent(B), Exhausted, B, 0;
        held(failed(Failure::insufficient_quota()))                        => Again(B), Silent(B), Exhausted, B, 0;
        output(failed(limit()))                                            => Again(B), Again(B), Exhausted, B, 0;
        output(error(limit()))                                             => Again(B), Again(B), Exhausted, B, 0;
        call(failed(limit()))                                              => Again(B), Again(B), Exhausted, B, 0;
        last(error(limit()))                                               => Again(B), Again(B), Exhausted, B, 0;
        mid_turn(refuse(limit()))                                          => Again(Both), Silent(Both), Exhausted, B, 0;
        next_turn(refuse(limit()))                                         => Again(Both), Silent(Both), Exhausted, B, 0;
        next_turn(refuse(limit())).ciphertext()                            => Again(Both), Silent(Both), Exhausted, B, 0;
        upgrade(refuse(limit()))                                           => Silent(B), Nothing, Exhausted, B, 0;
        head(refuse(limit())).everywhere()                                 => Fails("usage_limit_reached"), Fails("usage_limit_reached"), Exhausted, B, 0;
        held(error(limit())).everywhere()                                  => Fails("usage_limit_reached"), Fails("usage_limit_reached"), Exhausted, B, 0;
        after(failed(limit()))                                             => Silent(A), Silent(A), Eligible, A, 0;
        after(error(limit()))                                              => Silent(A), Silent(A), Eligible, A, 0;

        // A throttle: a detour if it is short, a switch if it is long, nothing at all if it is over at once.
        head(refuse(throttle(30)))                                         => Again(B), Silent(B), Cooling, A, 1;
        head(refuse(throttle(3600)))                                       => Again(B), Silent(B), Cooling, B, 0;
        head(refuse(throttle(1))).once()                                   => Silent(A), Silent(A), Eligible, A, 0;
        head(refuse(Failure::slow_down()))                                 => Again(B), Silent(B), Cooling, A, 1;
        head(refuse(Failure::html(429)))                                   => Again(B), Silent(B), Cooling, A, 1;
        head(refuse(throttle(3600))).everywhere()                          => Fails("usage_limit_reached"), Fails("usage_limit_reached"), Cooling, B, 0;
        held(failed(Failure::slow_down()))                                 => Again(B), Silent(B), Cooling, A, 1;
        held(failed(throttle(9).message("Wait.")))                         => Again(B), Silent(B), Cooling, A, 1;
        held(error(Failure::slow_down()))                                  => Again(B), Silent(B), Cooling, A, 1;
        call(failed(Failure::slow_down()))                                 => Again(B), Again(B), Cooling, A, 1;
        output(failed(Failure::slow_down()))                               => Again(B), Again(B), Cooling, A, 1;
        mid_turn(refuse(throttle(30)))                                     => Again(Both), Silent(Both), Cooling, A, 1;
        upgrade(refuse(throttle(30)))                                      => Silent(B), Nothing, Cooling, A, 1;

        // The server's trouble: the same account twice more, then another one, and blame only if that succeeds.
        head(refuse(Failure::internal())).once()                           => Silent(A), Silent(A), Eligible, A, 0;
        head(refuse(Failure::bad_gateway())).times(2)                      => Silent(A), Silent(A), Eligible, A, 0;
        head(refuse(Failure::unavailable().retry_after(30))).once()        => Silent(A), Silent(A), Eligible, A, 0;
        head(refuse(Failure::server_is_overloaded())).times(2)             => Silent(A), Silent(A), Eligible, A, 0;
        head(refuse(Failure::html(502))).times(2)                          => Silent(A), Silent(A), Eligible, A, 0;
        head(refuse(code(529, ""))).once()                                 => Silent(A), Silent(A), Eligible, A, 0;
        head(refuse(Failure::internal()))                                  => Again(B), Silent(B), Cooling, A, 1;
        head(refuse(Failure::internal())).everywhere()                     => Nothing, Fails("retries_exhausted"), Eligible, A, 3;
        head(refuse(Failure::deactivated_workspace())).everywhere()        => Nothing, Fails("retries_exhausted"), Eligible, A, 3;
        head(refuse(Failure::deactivated_workspace())).everywhere()        => Fails("deactivated_workspace"), Nothing, Eligible, A, 1;
        head(refuse(Failure::server_is_overloaded()))                      => Again(B), Silent(B), Cooling, A, 1;
        held(failed(Failure::server_is_overloaded())).once()               => Silent(A), Silent(A), Eligible, A, 0;
        held(error(Failure::internal())).times(2)                          => Silent(A), Silent(A), Eligible, A, 0;
        held(failed(Failure::internal()))                                  => Again(B), Silent(B), Cooling, A, 1;
        output(failed(Failure::internal())).once()                         => Again(A), Again(A), Eligible, A, 0;
        call(error(Failure::internal())).once()                            => Again(A), Again(A), Eligible, A, 0;
        mid_turn(refuse(Failure::internal())).times(2)                     => Silent(A), Silent(A), Eligible, A, 0;
        next_turn(refuse(Failure::internal()))                             => Again(Both), Silent(Both), Cooling, A, 1;
        after(error(Failure::internal()))                                  => Silent(A), Silent(A), Eligible, A, 0;
        upgrade(refuse(Failure::internal())).times(2)                      => Silent(A), Nothing, Eligible, A, 0;
        upgrade(refuse(Failure::unavailable()))                            => Silent(B), Nothing, Cooling, A, 1;

        // The account's credentials, or its standing.
        head(refuse(Failure::token_expired())).once()                      => Again(A), Silent(A), Eligible, A, 0;
        head(refuse(Failure::html(401))).once()                            => Again(A), Silent(A), Eligible, A, 0;
        head(refuse(Failure::token_expired()))                             => Again(B), Silent(B), Attention, B, 0;
        head(refuse(Failure::token_invalidated()))                         => Again(B), Silent(B), Attention, B, 0;
        mid_turn(refuse(Failure::token_expired())).once()                  => Again(A), Silent(A), Eligible, A, 0;
        upgrade(refuse(Failure::token_expired())).once()                   => Silent(A), Nothing, Eligible, A, 0;
        upgrade(refuse(Failure::token_invalidated()))                      => Silent(B), Nothing, Attention, B, 0;
        head(refuse(Failure::deactivated_workspace()))                     => Again(B), Silent(B), Attention, A, 1;
        head(refuse(Failure::deactivated_workspace())).and_another_turn()  => Again(B), Silent(B), Attention, B, 1;
        head(refuse(Failure::usage_not_included()))                        => Again(B), Silent(B), Attention, A, 1;
        head(refuse(code(403, "account_suspended")))                       => Again(B), Silent(B), Attention, A, 1;
        held(failed(Failure::deactivated_workspace()))                     => Again(B), Silent(B), Attention, A, 1;
        upgrade(refuse(Failure::deactivated_workspace()))                  => Silent(B), Nothing, Attention, B, 0;
        head(refuse(Failure::forbidden())).once()                          => Again(A), Again(A), Eligible, A, 0;
        head(refuse(Failure::html(403))).once()                            => Again(A), Again(A), Eligible, A, 0;
        head(refuse(Failure::html(402))).once()                            => Fails("edge"), Again(A), Eligible, A, 0;
        upgrade(refuse(Failure::html(403))).once()                         => Again(A), Nothing, Eligible, A, 0;
        head(refuse(Failure::model_not_supported(MODEL)))                  => Again(B), Silent(B), Eligible, A, 1;
        head(refuse(Failure::model_not_supported(MODEL))).everywhere()     => Fails("invalid_request_error"), Fails("http_400"), Eligible, A, 1;

        // The request's own fault: passed on, nobody is blamed.
        head(refuse(Failure::invalid_request()))                           => Fails("invalid_value"), Fails("invalid_value"), Eligible, A, 0;
        head(refuse(Failure::context_length_exceeded()))                   => Fails("context_length_exceeded"), Fails("context_length_exceeded"), Eligible, A, 0;
        head(refuse(code(404, "not_found")))                               => Fails("not_found"), Fails("not_found"), Eligible, A, 0;
        head(refuse(code(409, "conflict")))                                => Fails("conflict"), Fails("conflict"), Eligible, A, 0;
        head(refuse(code(413, "too_large")))                               => Fails("too_large"), Fails("too_large"), Eligible, A, 0;
        head(refuse(code(451, "")))                                        => Fails("invalid_request_error"), Fails("invalid_request_error"), Eligible, A, 0;
        head(refuse(Failure::invalid_encrypted_content()))                 => Fails("invalid_encrypted_content"), Fails("invalid_encrypted_content"), Eligible, A, 0;
        held(failed(Failure::context_length_exceeded()))                   => Fails("context_length_exceeded"), Fails("context_length_exceeded"), Eligible, A, 0;
        held(Fault::Incomplete("content_filter".to_owned()))               => Fails("response_incomplete"), Fails("response_incomplete"), Eligible, A, 0;
        output(Fault::Incomplete("max_output_tokens".to_owned()))          => Fails("response_incomplete"), Fails("response_incomplete"), Eligible, A, 0;
        head(refuse(Failure::websocket_connection_limit_reached())).once() => Again(A), Nothing, Eligible, A, 0;
        next_turn(refuse(Failure::previous_response_not_found())).once()   => Again(A), Nothing, Eligible, A, 0;

        // Connections that break. A broken socket takes along what its frames refer to.
        accept(Fault::Reset).once()                                        => Silent(A), Silent(A), Eligible, A, 0;
        accept(Fault::Cut).once()                                          => Silent(A), Silent(A), Eligible, A, 0;
        head(Fault::Cut).once()                                            => Again(A), Silent(A), Eligible, A, 0;
        head(Fault::Reset).times(2)                                        => Again(A), Silent(A), Eligible, A, 0;
        head(Fault::Reset)                                                 => Again(B), Silent(B), Cooling, A, 1;
        held(Fault::Cut).once()                                            => Again(A), Silent(A), Eligible, A, 0;
        held(Fault::Reset)                                                 => Again(B), Silent(B), Cooling, A, 1;
        held(Fault::Close(1011)).once()                                    => Again(A), Silent(A), Eligible, A, 0;
        held(Fault::Close(1012)).once()                                    => Again(A), Silent(A), Eligible, A, 0;
        held(Fault::Close(1008)).once()                                    => Again(A), Silent(A), Eligible, A, 0;
        held(Fault::TruncateEvent).once()                                  => Again(A), Again(A), Eligible, A, 0;
        held(Fault::End).once()                                            => Nothing, Silent(A), Eligible, A, 0;
        held(Fault::End).once().impatient()                                => Again(A), Nothing, Eligible, A, 0;
        output(Fault::Cut).once()                                          => Again(A), Again(A), Eligible, A, 0;
        output(Fault::Reset).times(3)                                      => Again(B), Again(B), Eligible, A, 1;
        output(Fault::Close(1000)).once()                                  => Again(A), Again(A), Eligible, A, 0;
        output(Fault::Close(1009)).once()                                  => Again(A), Again(A), Eligible, A, 0;
        output(Fault::TruncateEvent).once()                                => Again(A), Again(A), Eligible, A, 0;
        output(Fault::End).once().impatient()                              => Again(A), Again(A), Eligible, A, 0;
        call(Fault::Reset).once()                                          => Again(A), Again(A), Eligible, A, 0;
        call(Fault::Cut).once()                                            => Again(A), Again(A), Eligible, A, 0;
        call(Fault::Close(1011)).once()                                    => Again(A), Again(A), Eligible, A, 0;
        call(Fault::TruncateEvent).once()                                  => Again(A), Again(A), Eligible, A, 0;
        last(Fault::Cut).once()                                            => Again(A), Again(A), Eligible, A, 0;
        last(Fault::Close(1001)).once()                                    => Again(A), Again(A), Eligible, A, 0;
        mid_turn(Fault::Reset).once()                                      => Again(A), Silent(A), Eligible, A, 0;
        next_turn(Fault::Reset).once()                                     => Again(A), Silent(A), Eligible, A, 0;
        after(Fault::Cut)                                                  => Again(A), Silent(A), Eligible, A, 0;
        after(Fault::Reset)                                                => Again(A), Silent(A), Eligible, A, 0;
        after(Fault::Close(1000))                                          => Again(A), Silent(A), Eligible, A, 0;
        upgrade(Fault::Reset).once()                                       => Silent(A), Nothing, Eligible, A, 0;
        upgrade(Fault::Cut).times(2)                                       => Silent(A), Nothing, Eligible, A, 0;

        // Silence, and slowness.
        head(Fault::Stall).once().impatient()                              => Again(A), Again(A), Eligible, A, 0;
        held(Fault::Stall).once().impatient()                              => Again(A), Again(A), Eligible, A, 0;
        output(Fault::Stall).once().impatient()                            => Again(A), Again(A), Eligible, A, 0;
        call(Fault::Stall).once().impatient()                              => Again(A), Again(A), Eligible, A, 0;
        upgrade(Fault::Stall).once().impatient()                           => Again(A), Nothing, Eligible, A, 0;
        head(delay())                                                      => Silent(A), Silent(A), Eligible, A, 0;
        held(delay())                                                      => Silent(A), Silent(A), Eligible, A, 0;
        last(delay())                                                      => Silent(A), Silent(A), Eligible, A, 0;
        head(drip())                                                       => Silent(A), Silent(A), Eligible, A, 0;
        held(drip())                                                       => Silent(A), Silent(A), Eligible, A, 0;
        call(drip())                                                       => Silent(A), Silent(A), Eligible, A, 0;
        output(drip())                                                     => Silent(A), Silent(A), Eligible, A, 0;

        // Strange answers. A frame that isn't UTF-8 is the end of a WebSocket.
        held(Fault::BadUtf8)                                               => Nothing, Silent(A), Eligible, A, 0;
        held(Fault::BadUtf8).once()                                        => Again(A), Nothing, Eligible, A, 0;
        output(Fault::BadUtf8).once()                                      => Again(A), Silent(A), Eligible, A, 0;
        held(Fault::BadJson)                                               => Silent(A), Silent(A), Eligible, A, 0;
        call(Fault::BadJson)                                               => Silent(A), Silent(A), Eligible, A, 0;
        call(Fault::GiantEvent(4 * MB))                                    => Silent(A), Silent(A), Eligible, A, 0;
        output(Fault::BadJson)                                             => Silent(A), Silent(A), Eligible, A, 0;
        held(Fault::UnknownEvent)                                          => Silent(A), Silent(A), Eligible, A, 0;
        held(Fault::GiantEvent(4 * MB))                                    => Silent(A), Silent(A), Eligible, A, 0;
        output(Fault::GiantEvent(4 * MB))                                  => Silent(A), Silent(A), Eligible, A, 0;
        last(Fault::DuplicateCompletion)                                   => Silent(A), Silent(A), Eligible, A, 0;
        after(Fault::DuplicateCompletion)                                  => Silent(A), Silent(A), Eligible, A, 0;
        after(Fault::TrailingData)                                         => Silent(A), Silent(A), Eligible, A, 0;
        after(Fault::BadJson)                                              => Silent(A), Silent(A), Eligible, A, 0;
        after(Fault::UnknownEvent)                                         => Silent(A), Silent(A), Eligible, A, 0;
        head(content_type("application/octet-stream"))                     => Nothing, Silent(A), Eligible, A, 0;
        head(content_type("text/event-stream; charset=utf-8"))             => Nothing, Silent(A), Eligible, A, 0;
        head(encoding("gzip"))                                             => Nothing, Silent(A), Eligible, A, 0;
        head(encoding("zstd"))                                             => Nothing, Silent(A), Eligible, A, 0;
        head(Fault::Redirect("http://127.0.0.1:9/".to_owned()))            => Nothing, Fails("http_307"), Eligible, A, 0;
        upgrade(Fault::Redirect("http://127.0.0.1:9/".to_owned())).once()  => Again(A), Nothing, Eligible, A, 0;
        upgrade(respond(404, "no such page")).once()                       => Again(A), Nothing, Eligible, A, 0;
        upgrade(respond(426, "no WebSocket here")).once()                  => Again(A), Nothing, Eligible, A, 0;
        upgrade(respond(200, "<html>Sign in to this Wi-Fi</html>")).once() => Silent(A), Nothing, Eligible, A, 0;
    }
}

pub(crate) fn bytes() -> Vec<Row> {
    let reset = frame(0x88, b"\x03");
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let long = format!("x-long: {}\r\n{SSE}", "x".repeat(MB));
    let json = "application/json";
    let told = r#"{"error":{"type":"usage_limit_reached","message":"No."}}"#;
    rows! {
        // No head, or none that can be read: nothing has happened yet, and it is tried again.
        raw(answer(""))                                                    => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 20"))                                         => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 200 OK\r\ncontent-ty"))                       => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("220 mail.example ESMTP\r\n"))                          => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("\x16\x03\x01\x02\x00\x01"))                            => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/9.9 200 OK\r\n\r\n"))                             => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 9999 OK\r\n\r\n"))                            => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 200 OK\r\nbad\0name: x\r\n\r\n"))             => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer(whole(&long)))                                          => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 100 Continue\r\n\r\n"))                       => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 503 No\r\ncontent-length: 90\r\n\r\nhalf"))   => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"))        => Silent(A), Silent(A), Eligible, A, 0;
        raw(sized("429 No", json, told.len(), told))                       => Silent(B), Silent(B), Exhausted, B, 0;
        raw(sized("429 No", json, 9999, told))                             => Silent(B), Silent(B), Exhausted, B, 0;
        raw(sized("429 No", json, 9999, "{\"error\":{\"ty"))               => Silent(B), Silent(B), Cooling, A, 1;
        raw(sized("429 No", "text/html", 0, ""))                           => Silent(B), Silent(B), Cooling, A, 1;

        // What is whole is delivered, whatever stands before or behind it.
        raw(answer(whole(SSE)))                                            => Nothing, Silent(Raw), Eligible, A, 0;
        raw(answer(format!("HTTP/1.1 100 Continue\r\n\r\n{}", whole(SSE)))) => Nothing, Silent(Raw), Eligible, A, 0;
        raw(answer(format!("{early}{early}{}", whole(SSE))))               => Nothing, Silent(Raw), Eligible, A, 0;
        raw(answer(whole(SSE) + "HTTP/1.1 200 OK\r\n\r\nmore"))            => Nothing, Silent(Raw), Eligible, A, 0;
        raw(answer(stream(SSE, &[CREATED, OUTPUT, COMPLETED])))            => Nothing, Silent(Raw), Eligible, A, 0;
        raw(answer(stream(SSE, &["\u{feff}{", OUTPUT, COMPLETED]) + END))  => Nothing, Silent(Raw), Eligible, A, 0;
        raw(answer(format!("HTTP/1.0 200 OK\r\n{SSE}\r\ndata: {COMPLETED}\n\n"))) => Nothing, Silent(Raw), Eligible, A, 0;
        raw(sized("200 OK", "text/event-stream", 99_999, &format!("data: {COMPLETED}\n\n"))) => Nothing, Silent(Raw), Eligible, A, 0;

        // What breaks off before output is tried again; after output the client does.
        raw(answer(stream(SSE, &[])))                                      => Nothing, Silent(A), Eligible, A, 0;
        raw(answer(stream(SSE, &[]) + END))                                => Nothing, Silent(A), Eligible, A, 0;
        raw(answer(stream(SSE, &[CREATED])))                               => Nothing, Silent(A), Eligible, A, 0;
        raw(answer(stream(SSE, &[CREATED]) + "zz\r\nno size"))             => Nothing, Silent(A), Eligible, A, 0;
        raw(answer(stream(SSE, &[CREATED]) + "99\r\ndata: {\"type"))       => Nothing, Silent(A), Eligible, A, 0;
        raw(answer(stream(SSE, &[CREATED, "[DONE]"]) + END))               => Nothing, Silent(A), Eligible, A, 0;
        raw(answer(stream(SSE, &[CREATED, OUTPUT]) + "zz\r\nno size"))     => Nothing, Again(A), Eligible, A, 0;
        raw(answer(stream(SSE, &[CREATED, OUTPUT]) + "99\r\ndata: {\"type")) => Nothing, Again(A), Eligible, A, 0;
        raw(answer(stream(SSE, &[CREATED, OUTPUT]) + END))                 => Nothing, Again(A), Eligible, A, 0;
        raw(sized("200 OK", "text/event-stream", 20, &format!("data: {CREATED}\n\n"))) => Nothing, Silent(A), Eligible, A, 0;
        raw(answer(stream(&format!("content-encoding: gzip\r\n{SSE}"), &["\x1f\u{8b}\x08"]) + END)) => Nothing, Again(A), Eligible, A, 0;

        // A limit in a stream of another name, or in pieces.
        raw(answer(stream("content-type: Text/Event-Stream\r\n", &[CREATED, LIMIT]) + END)) => Nothing, Silent(B), Exhausted, B, 0;
        raw(answer(stream("content-type: text/plain\r\n", &[CREATED, LIMIT]) + END)) => Nothing, Silent(B), Exhausted, B, 0;
        raw(answer(stream("", &[CREATED, LIMIT]) + END))                   => Nothing, Silent(B), Exhausted, B, 0;
        raw(answer(stream(SSE, &[CREATED]) + &chunk("data: ") + &chunk(LIMIT) + &chunk("\r\n\r\n") + END)) => Nothing, Silent(B), Exhausted, B, 0;
        raw(answer(stream(SSE, &[CREATED]) + &chunk(&format!("data: {LIMIT}")))) => Nothing, Silent(B), Exhausted, B, 0;

        // Handshakes that are none.
        raw(answer("HTTP/1.1 101 Switching Protocols\r\n\r\n"))            => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")) => Silent(A), Silent(A), Eligible, A, 0;
        raw(answer("HTTP/1.1 204 No Content\r\n\r\n"))                     => Silent(A), Nothing, Eligible, A, 0;
        raw(answer(whole(SSE)))                                            => Silent(A), Nothing, Eligible, A, 0;

        // Frames that no WebSocket may carry.
        raw(frames(""))                                                    => Again(A), Nothing, Eligible, A, 0;
        raw(frames(frame(0x83, b"reserved opcode")))                       => Again(A), Nothing, Eligible, A, 0;
        raw(frames(frame(0xC1, OUTPUT.as_bytes())))                        => Again(A), Nothing, Eligible, A, 0;
        raw(frames(frame(0x80, b"continues nothing")))                     => Again(A), Nothing, Eligible, A, 0;
        raw(frames(frame(TEXT, b"\xFF\xFE")))                              => Again(A), Nothing, Eligible, A, 0;
        raw(frames(frame(0x89, &[b'p'; 200])))                             => Again(A), Nothing, Eligible, A, 0;
        raw(frames(b"\x81\xFF"))                                           => Again(A), Nothing, Eligible, A, 0;
        raw(frames(b"\x81\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"))           => Again(A), Nothing, Eligible, A, 0;
        raw(frames(b"\x81\x7E\x10\x00{\"type"))                            => Again(A), Nothing, Eligible, A, 0;
        raw(frames(frame(0x01, b"a message that never")))                  => Again(A), Nothing, Eligible, A, 0;
        raw(frames(&reset))                                                => Again(A), Nothing, Eligible, A, 0;
        raw(frames(frame(0x88, b"\x03\xF3\xFF")))                          => Again(A), Nothing, Eligible, A, 0;
        raw(frames([frame(TEXT, OUTPUT.as_bytes()), frame(0x83, b"")].concat())) => Again(A), Nothing, Eligible, A, 0;
        raw(frames(frame(TEXT, LIMIT.as_bytes())))                         => Again(B), Nothing, Exhausted, B, 0;
        raw(frames([frame(0x89, b""), frame(TEXT, COMPLETED.as_bytes())].concat())) => Silent(Raw), Nothing, Eligible, A, 0;
    }
}
