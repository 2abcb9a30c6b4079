// Takes one sample after the other from the input stream: first DRIVES words of input current, then (if SPIKING) for each
// step spikes and a marker; and gives a marker per step to the layers. The next sample starts when all parts are done.
module snn_source #(
    parameter STEPS = 8,
    parameter SPIKING = 0,
    parameter DRIVEN = 1,
    parameter DRIVE = 8,
    parameter [DRIVE-1:0] DRIVE_END = 0,
    parameter PARTS = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [STEPS-1:0] steps,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire             in_marker,
    // input currents come first; then what comes may be a sample's values
    output wire             drives,
    output wire             open,
    output wire             drive_valid,
    output reg  [DRIVE-1:0] drive_index,
    output wire             out_valid,
    input  wire             out_ready,
    output wire             out_marker,
    output wire             out_last,
    input  wire [PARTS-1:0] done
);
    localparam [1:0] DRIVES = 2'd0, RUN = 2'd1, WAIT = 2'd2;
    reg [1:0] state;
    reg [STEPS-1:0] left;
    reg [PARTS-1:0] running;
    wire begins = (state == DRIVES) & ((DRIVEN != 0) ? in_valid & (drive_index == DRIVE_END) : in_valid);
    assign drives = (DRIVEN != 0) & (state == DRIVES);
    assign open = state == ((DRIVEN != 0) ? RUN : DRIVES);
    assign drive_valid = (DRIVEN != 0) & (state == DRIVES) & in_valid;
    assign in_ready = drive_valid | ((SPIKING != 0) & (state == RUN) & out_ready);
    assign out_valid = (state == RUN) & ((SPIKING == 0) | in_valid);
    assign out_marker = (SPIKING == 0) | in_marker;
    assign out_last = left == {{(STEPS - 1){1'b0}}, 1'b1};
    always @(posedge clk) begin
        if (rst) begin
            state <= DRIVES;
            drive_index <= {DRIVE{1'b0}};
        end else begin
            if (drive_valid) drive_index <= begins ? {DRIVE{1'b0}} : drive_index + 1'b1;
            if (begins) begin
                state <= RUN;
                left <= steps;
                running <= {PARTS{1'b1}};
            end else running <= running & ~done;
            if (out_valid & out_ready & out_marker) begin
                left <= left - 1'b1;
                if (out_last) state <= WAIT;
            end
            if ((state == WAIT) & (running == {PARTS{1'b0}})) state <= DRIVES;
        end
    end
endmodule
